from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from bench.cli import Command, main
from bench.errors import InputError
from bench.parsing import options_of, parse


def _parse(*words: str) -> Any:
    return parse(Command, words, description="")


def test_the_shells_home_is_expanded_in_every_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell expands ~ at the beginning of a word only, and --out=~/runs begins with dashes."""
    monkeypatch.setenv("HOME", str(tmp_path))
    run = _parse("run", "~/own.toml", "--out=~/x", "--scorers=~/suite.toml", "--methods", "sds")
    assert (run.study, run.out, run.scorers) == (f"{tmp_path}/own.toml", tmp_path / "x", f"{tmp_path}/suite.toml")
    assert run.methods == ("sds",)
    merge = _parse("merge", "~/a", "b", "--out=~")
    assert (merge.runs, merge.out) == ((tmp_path / "a", Path("b")), tmp_path)
    arm = _parse("import", "~/mine", "--table=~/t.csv", "--into=~/run", "--prompts=~/p.txt")
    assert (arm.folder, arm.table, arm.into) == (tmp_path / "mine", tmp_path / "t.csv", tmp_path / "run")
    assert arm.prompts == f"{tmp_path}/p.txt"
    assert _parse("rank", "~/mine").folders == (tmp_path / "mine",)
    assert _parse("fetch", "sd21", "--from=~/w").mirror == tmp_path / "w"
    assert _parse("convert", "~/a", "~/b", "--like=~/c").like == f"{tmp_path}/c"
    assert _parse("validate", "~/prior", "--out=~/v.json").out == tmp_path / "v.json"
    export = _parse("export", "~/cell", "--mesh=~/a.glb", "--gaussians=~/a.ply")
    assert (export.cell, export.mesh, export.gaussians) == tuple(tmp_path / name for name in ("cell", "a.glb", "a.ply"))


def test_the_home_of_an_unknown_user_stays_as_it_is() -> None:
    assert _parse("report", "quick", "--out=~nobody9/x").out == Path("~nobody9/x")


@pytest.mark.parametrize("part", get_args(Command), ids=lambda part: get_args(part)[1].name)
def test_the_options_are_those_of_the_help(part: Any) -> None:
    """Those that are known before tyro reads the words, so that it need not name those of all commands."""
    command, name = get_args(part)[0], get_args(part)[1].name
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert not end.value.code
    listed = set(re.findall(r"^[│ ] (?:-h, )?--([a-z][a-z-]+)", shown.getvalue(), re.MULTILINE))
    assert {option for option, _ in options_of(command)} == listed - {"help"}


@pytest.mark.parametrize("words", [("--methods",), ("--seeds", "--yes"), ("--methods", "sds", "--prompts")])
def test_a_list_without_values_is_refused(words: tuple[str, ...]) -> None:
    """It would stand for all of them: every method, where a shell's variable happened to be empty."""
    listed = [word for word in words if word in ("--methods", "--seeds", "--prompts")][-1]
    with pytest.raises(InputError, match=rf"^{listed}: needs a value; see sdibench run --help$"):
        _parse("run", "quick", *words)


def test_help_is_shown_whatever_else_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parse("merge", "--help", "--bogus")
    assert "Unite run folders" in capsys.readouterr().out


def test_a_message_is_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    with pytest.raises(InputError, match=r"^--scorers: needs a value; see sdibench run --help$"):
        _parse("run", "quick", "--scorers")
    with pytest.raises(InputError, match=r"^merge: missing: --out PATH Run folder to copy into, new or of the same "):
        _parse("merge")
