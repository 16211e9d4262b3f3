from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from bench.cli import main
from bench.engines.interrupt import interrupts
from bench.output import LenientStream, lenient_output, print_line

from .conftest import TINY

ROOT = Path(__file__).parents[2]
#: As ``COMMAND``, without the seconds of drawing figures.
BLANK_COMMAND = (
    sys.executable,
    "-c",
    "import sys, bench.cli, reports.figures.drawing.style as style; "
    "style._save = lambda draw, theme, *kinds: [b''] * len(kinds); sys.exit(bench.cli.main())",
)
COMMAND = (sys.executable, "-c", "import sys, bench.cli; sys.exit(bench.cli.main())")


def _environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | more


def _small(folder: Path, title: str = "Tiny") -> None:
    (folder / "tiny.toml").write_text(TINY.replace('"Tiny"', f'"{title}"').replace('"blue-duck", ', ""))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize(
    "arguments", [["--help"], ["list", "methods"], ["cite", "sdi"], ["show", "sds"], ["plan", "tiny.toml"]]
)
def test_a_console_of_another_encoding_gets_what_it_can_show(
    arguments: list[str], encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _small(tmp_path, title="∇ Tiny")
    monkeypatch.chdir(tmp_path)
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding=encoding))
    with suppress(SystemExit):  # --help
        assert main(arguments) == 0
    assert content.getvalue().decode(encoding).strip()


@pytest.mark.e2e
@pytest.mark.parametrize(("command", "lines"), [("run", 0), ("benchmark", 1)])
def test_a_command_whose_output_nobody_reads_does_its_work(tmp_path: Path, command: str, lines: int) -> None:
    _small(tmp_path)
    process = subprocess.Popen(
        [*BLANK_COMMAND, command, "tiny.toml", "--out", "run"],
        cwd=tmp_path, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    for _ in range(lines):
        process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), errors) == (0, b"")
    made = ["cells", "scores.parquet", "report/index.html"] if command == "benchmark" else ["cells"]
    assert all((tmp_path / "run" / name).exists() for name in made)


def test_square_brackets_are_no_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _small(tmp_path, title="Study [/b] [red]")
    monkeypatch.chdir(tmp_path)
    out = "runs/[/old] try [bold]"
    for command in ("plan", "benchmark"):
        assert main([command, "tiny.toml", "--out", out]) == 0
        shown = capsys.readouterr()
        assert shown.err == ""
        assert out in shown.out
        assert command != "plan" or "Study [/b] [red]" in shown.out


@pytest.mark.e2e
def test_a_terminal_that_hangs_up_stops_a_run_like_kill(tmp_path: Path) -> None:
    never = "[divergence]\nempty_opacity = 0.0\nopaque_opacity = 1.0\nfrozen_change = 0.0\n"
    (tmp_path / "tiny.toml").write_text(TINY.replace("steps = 4", "steps = 1000000") + never)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's is inherited, also by the tests
    with subprocess.Popen(
        [*COMMAND, "run", "tiny.toml", "--out", "run", "--yes"],
        cwd=tmp_path, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        signal.signal(signal.SIGHUP, before)
        for _ in range(600):
            if '"step":' in "".join(path.read_text() for path in tmp_path.glob("run/claims/*.json")):
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        assert (
            process.stderr.read()
            == "sdibench: interrupted; finished cells are kept, the same command goes on from there\n"
        )
        assert process.wait() == 130
    assert len(list(tmp_path.glob("run/checkpoints/*.safetensors"))) == 1


def test_a_hang_up_that_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts(signal.SIGHUP) as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupt
    finally:
        signal.signal(signal.SIGHUP, before)


def test_only_a_lost_reader_is_forgiven() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        LenientStream(Full()).write("x")


def test_what_is_written_after_the_reader_has_gone_is_dropped() -> None:
    end, start = os.pipe()
    os.close(end)
    with os.fdopen(start, "w", encoding="ascii") as stream:
        lenient = LenientStream(stream)
        for _ in range(3):
            assert lenient.write("a ∇\n") == 4
            lenient.flush()


def test_the_sign_of_a_number_is_kept_in_ascii() -> None:
    buffer = io.BytesIO()
    with io.TextIOWrapper(buffer, encoding="ascii") as stream:
        LenientStream(stream).write("−2.55 ± 1.9, 3 ×/÷ 2 → ∇\n")
        stream.flush()
        assert buffer.getvalue() == b"-2.55 +- 1.9, 3 x/ 2 -> ?\n"


def test_the_streams_are_put_back() -> None:
    before = sys.stdout, sys.stderr
    with lenient_output():
        assert isinstance(sys.stdout, LenientStream)
    assert (sys.stdout, sys.stderr) == before


def test_a_line_is_printed_as_it_is() -> None:
    file = io.StringIO()
    line = "[/b] [red] " + "x" * 300
    print_line(Console(file=file, width=40), line)
    assert file.getvalue() == line + "\n"
