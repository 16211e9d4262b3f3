"""Files from others are data: whatever is wrong with them is one line or a typed status, and stays in its folder."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.cells.run_cell import run_cell
from bench.cli import main
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study
from bench.watch.telemetry import Event
from methods.priors.loading import cached_prior

from .conftest import TINY


def _flipped(content: bytes, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    damaged = bytearray(content)
    for place in rng.integers(0, len(content), max(1, len(content) // 200)):
        damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


Spoil = Callable[[bytes], bytes]

#: What may happen to any file.
ACCIDENTS: dict[str, Spoil] = {
    "empty": lambda content: b"",
    "first byte": lambda content: content[:1],
    "first third": lambda content: content[: len(content) // 3],
    "all but the end": lambda content: content[:-9],
    "zeros": lambda content: b"\0" * len(content),
    "twice": lambda content: content + content,
    "flipped bits 1": lambda content: _flipped(content, 1),
    "flipped bits 2": lambda content: _flipped(content, 2),
    "flipped bits 3": lambda content: _flipped(content, 3),
    "no UTF-8": lambda content: b"\xff\xfe" + content,
    "a pickle": lambda content: b"\x80\x04\x95\x1e\x00\x00\x00cposix\nsystem\n(S'touch escaped'\ntR.",
}

#: What may be meant badly in JSON.
MALICE: dict[str, Spoil] = {
    "null": lambda content: b"null",
    "list": lambda content: b"[]",
    "number": lambda content: b"1e999",
    "empty table": lambda content: b"{}",
    "nested": lambda content: b"[" * 200_000 + b"]" * 200_000,
    "nested tables": lambda content: b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    "huge number": lambda content: b'{"format_version": ' + b"9" * 10_000 + b"}",
}


def _edited(**fields: object) -> Spoil:
    return lambda content: json.dumps(json.loads(content) | fields).encode()


def _cell(**fields: object) -> Spoil:
    def edit(content: bytes) -> bytes:
        found = json.loads(content)
        found["cell"] |= fields
        return json.dumps(found).encode()

    return edit


RECORDS: dict[str, Spoil] = {
    "version 0": _edited(format_version=0),
    "version 2": _edited(format_version=2),
    "version 4": _edited(format_version=4),
    "version 1 and more": _edited(format_version=1, colour="red"),
    "version text": _edited(format_version="3"),
    "version list": _edited(format_version=[3]),
    "version NaN": _edited(format_version=float("nan")),
    "path up": _edited(file_bytes={"../../../escape": 1}),
    "path absolute": _edited(file_bytes={"/etc/hostname": 1}),
    "path hidden": _edited(file_bytes={".x": 1}),
    "path with a zero": _edited(file_bytes={"a\0b": 1}),
    "path of Windows": _edited(file_bytes={"..\\x": 1}),
    "path long": _edited(file_bytes={"x" * 5000: 1}),
    "size negative": _edited(file_bytes={"events.jsonl": -1}),
    "size NaN": _edited(file_bytes={"events.jsonl": float("nan")}),
    "hash of nothing": _edited(file_sha256={"other": "0" * 64}),
    "hash wrong": _edited(file_sha256={"events.jsonl": "0" * 64}),
    "view up": _edited(views=[{"azimuth_deg": 0.0, "rgb": "../../x", "opacity": "../y"}]),
    "no views": _edited(views=[]),
    "status unknown": _edited(status="fine"),
    "identity long": _edited(identity="f" * 100_000),
    "label up": _cell(label="../../escape"),
    "label empty": _cell(label=""),
    "prompt id up": _cell(prompt_id="../../escape"),
    "scene unknown": _cell(scene={"name": "nerv"}),
    "settings NaN": _cell(hyper_parameters={"x": float("nan")}),
    "settings a list": _cell(scene=[1]),
    "surrogate": lambda content: content.replace(b'"a blue duck"', b'"\\ud800"'),
}


def _pinned(key: str, **fields: object) -> Spoil:
    def edit(content: bytes) -> bytes:
        found = json.loads(content)
        found["pinned"][key] |= fields
        return json.dumps(found).encode()

    return edit


PINNED: dict[str, Spoil] = {
    "pinned nothing": _edited(pinned={}),
    "pinned a list": _edited(pinned=[1]),
    "pinned scale NaN": _pinned("prior", guidance_scale=float("nan")),
    "pinned hash of another": _pinned("prior", weights_sha256="../../escape"),
    "pinned hash a number": _pinned("prior", weights_sha256=3),
    "pinned prompts none": _pinned("prompt_set", prompts=[]),
    "pinned prompt up": _pinned("prompt_set", prompts=[{"id": "../../escape", "text": "x"}]),
    "pinned prompt without text": _pinned("prompt_set", prompts=[{"id": "blue-duck"}]),
    "pinned prompts text": _pinned("prompt_set", prompts="toybox"),
    "pinned key unknown": _pinned("prompt_set", command="touch escaped"),
}

KINDS: dict[str, tuple[str, dict[str, Spoil], tuple[str, ...]]] = {
    "study.json": ("study.json", ACCIDENTS | MALICE | PINNED, ("run", "verify", "merge", "compare")),
    "record.json": (
        "cells/sdi--blue*/record.json",
        ACCIDENTS | MALICE | RECORDS,
        ("run", "verify", "merge", "compare", "export"),
    ),
    "events.jsonl": ("cells/sdi--blue*/events.jsonl", ACCIDENTS | MALICE, ("verify", "report")),
    "image": ("cells/sdi--blue*/views/rgb_001.png", ACCIDENTS, ("verify", "score", "report")),
    "scene": ("cells/sdi--blue*/scene.safetensors", ACCIDENTS, ("verify", "export")),
    "scores": ("scores.parquet", ACCIDENTS | MALICE, ("verify", "compare", "report")),
    "columns": ("metric_columns.parquet", ACCIDENTS, ("verify", "compare", "report")),
    "kept scores": ("scores/sdi--blue*/*.json", ACCIDENTS | MALICE, ("score",)),
    "truth": ("truth/*/rgb_001.png", ACCIDENTS, ("score",)),
    "checkpoint": ("checkpoints/*.safetensors", ACCIDENTS, ("run",)),
}
#: Kinds of files that are made again whatever is wrong with them.
MADE_AGAIN = {"kept scores", "checkpoint"}
#: Damage that a command need not see: it reads no such file, or what it reads first of the file is whole.
UNSEEN = {
    ("record.json", "no views", "run"),
    ("scores", "twice", "report"),
    ("columns", "twice", "report"),
}
#: Damage of a true render that leaves the end of a PNG, so that it is read rather than made again.
READ = {"flipped bits 1", "flipped bits 2", "flipped bits 3", "no UTF-8"}


def _expected(kind: str, name: str, command: str) -> int:
    """The exit status of a command that meets a damaged file."""
    if kind in MADE_AGAIN or (kind, name, command) in UNSEEN:
        return 0
    if kind == "truth":  # made again but by those that only look
        return int(command == "verify" and name in READ)
    return 1 if command in {"verify", "merge"} and kind != "study.json" else 2  # these two list what is wrong


CASES = [(kind, name) for kind, (_, spoils, _) in KINDS.items() for name in spoils]


@pytest.fixture
def sandbox(finished: RunStore, finished_folder: Path, study: Study, tmp_path: Path) -> Iterator[Path]:
    """A folder with a finished run in it, and a watch on everything around the run."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("untouched")
    yield tmp_path
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["secret"]
    assert (tmp_path / "outside" / "secret").read_text() == "untouched"
    assert {path.name for path in tmp_path.iterdir()} <= {
        "run",
        "outside",
        "merged",
        "mesh.glb",
        "tiny.toml",
        "bad.toml",
    }
    assert not [path for path in Path.cwd().iterdir() if path.name.startswith("escape")]


def _commands(run: Path, other: Path) -> dict[str, list[str]]:
    cell = next(iter(run.glob("cells/sdi--blue*")), run / "none")
    return {
        "run": ["run", str(run)],
        "score": ["score", str(run)],
        "report": ["report", str(run)],
        "verify": ["verify", str(run), "--rescore", "1"],
        "merge": ["merge", str(run), "--out", str(run.parent / "merged")],
        "compare": ["compare", str(other), str(run)],
        "export": ["export", str(cell), "--mesh", str(run.parent / "mesh.glb"), "--resolution", "8"],
    }


def _status(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> int:
    """Give a command: it ends with a status, and with one line where that is 2."""
    capsys.readouterr()
    status = main(arguments)
    error = capsys.readouterr().err
    assert status in (0, 1, 2)
    assert "Traceback" not in error
    if status == 2:
        assert error.startswith("sdibench: ")
        assert error.count("\n") == 1, error
        assert len(error) < 1500
    return status


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_damaged_file_of_a_run_has_its_status(
    sandbox: Path, finished_folder: Path, study: Study, capsys: pytest.CaptureFixture[str], kind: str, name: str
) -> None:
    run = sandbox / "run"
    pattern, spoils, commands = KINDS[kind]
    if kind == "checkpoint":
        cell = expand(study)[0]
        _checkpoint(run, cell)
    [path, *_] = sorted(run.glob(pattern))
    path.write_bytes(spoils[name](path.read_bytes()))
    if "score" in commands and kind != "kept scores":
        shutil.rmtree(run / "scores")
    command = commands[zlib.crc32(name.encode()) % len(commands)]  # one each: all of them with all would take minutes
    status = _status(_commands(run, finished_folder)[command], capsys)
    assert status == _expected(kind, name, command)


class _KilledError(BaseException):
    """As hard as a signal."""


def _checkpoint(run: Path, cell: Cell) -> None:
    """A cell that was killed in its third step."""
    store = RunStore(run)
    store.set_aside(store.cell_folder(cell))

    def kill(event: Event) -> None:
        if event.step == 2:
            raise _KilledError

    checkpoint = store.checkpoint(cell, store.read_study().model_copy(update={"checkpoint_steps": 1}))
    with pytest.raises(_KilledError):
        run_cell(cell, cached_prior("gaussian", "mode"), on_step=kill, checkpoint=checkpoint)


def _with(old: str, new: str) -> bytes:
    assert old in TINY
    return TINY.replace(old, new).encode()


#: Study files in which three bytes are others.
FLIPPED = 40

#: Study files that are wrong for certain.
STUDIES: dict[str, bytes] = {
    "empty": b"",
    "zeros": b"\0" * 100,
    "no UTF-8": b"title = '\xff'\n",
    "UTF-16": TINY.encode("utf-16"),
    "cut": TINY.encode()[:100],
    "a pickle": b"\x80\x04cposix\nsystem\n(S'touch escaped'\ntR.",
    "key twice": _with("steps = 4", "steps = 4\nsteps = 5"),
    "table twice": TINY.encode() + b"[methods.sds]\n",
    "nested lists": _with("steps = 4", f"steps = {'[' * 20_000}{']' * 20_000}"),
    "nested tables": _with("steps = 4", f"steps = {'{a=' * 20_000}1{'}' * 20_000}"),
    "nested keys": TINY.encode() + b"[methods.sdi." + b".".join([b"a"] * 5000) + b"]\n",
    "steps text": _with("steps = 4", 'steps = "4"'),
    "steps NaN": _with("steps = 4", "steps = nan"),
    "steps infinite": _with("steps = 4", "steps = inf"),
    "steps true": _with("steps = 4", "steps = true"),
    "steps zero": _with("steps = 4", "steps = 0"),
    "steps huge": _with("steps = 4", f"steps = {'9' * 400}"),
    "steps of more digits than Python reads": _with("steps = 4", f"steps = {'9' * 10_000}"),
    "steps a date": _with("steps = 4", "steps = 2026-01-01"),
    "steps a list": _with("steps = 4", "steps = [4]"),
    "seed negative": _with("threads = 1", "threads = 1\nseeds = [-1]"),
    "seed huge": _with("threads = 1", "threads = 1\nseeds = [9223372036854775808]"),
    "seeds none": _with("threads = 1", "threads = 1\nseeds = []"),
    "seeds twice": _with("threads = 1", "threads = 1\nseeds = [1, 1]"),
    "threads huge": _with("threads = 1", "threads = 100000"),
    "views huge": _with("views = 3", "views = 10000000"),
    "resolution huge": _with("[evaluation]\nviews = 3\nresolution = 8", "[evaluation]\nresolution = 1000000"),
    "distance NaN": _with("[evaluation]", "[evaluation]\ndistance = nan"),
    "elevation of text": _with("[evaluation]", '[evaluation]\nelevation_deg = "up"'),
    "method up": _with("[methods.sdi]", '[methods."../../escape"]\nmethod = "sdi"'),
    "method absolute": _with("[methods.sdi]", '[methods."/tmp/escape"]\nmethod = "sdi"'),
    "method with a zero": _with("[methods.sdi]", '[methods."a\\u0000b"]\nmethod = "sdi"'),
    "method with the separator": _with("[methods.sdi]", '[methods."a--b"]\nmethod = "sdi"'),
    "method empty": _with("[methods.sdi]", '[methods.""]\nmethod = "sdi"'),
    "method long": _with("[methods.sdi]", f'[methods."{"a" * 300}"]\nmethod = "sdi"'),
    "method of markup": _with("[methods.sdi]", '[methods."<script>"]\nmethod = "sdi"'),
    "method no table": _with("[methods.sdi]", "[methods]\nsdi = 3"),
    "method a module": _with("[methods.sdi]", '[methods.x]\nmethod = "os.system"'),
    "hyper-parameter NaN": _with("[methods.sdi]", "[methods.sdi]\nguidance_scale = nan"),
    "hyper-parameter of text": _with("[methods.sdi]", '[methods.sdi]\nguidance_scale = "7"'),
    "hyper-parameter unknown": _with("[methods.sdi]", "[methods.sdi]\n__class__ = 1"),
    "hyper-parameter a prior": _with("[methods.sdi]", "[methods.sdi]\nprior = 1"),
    "settings of an arm": _with("[methods.sdi]", "[methods.sdi.settings]\nseeds = [1]"),
    "settings no table": _with("[methods.sdi]", "[methods.sdi]\nsettings = 1"),
    "name up": b'name = "../escape"\n' + TINY.encode(),
    "name empty": b'name = ""\n' + TINY.encode(),
    "extends itself": b'extends = "bad.toml"\n' + TINY.encode(),
    "extends nothing": b'extends = "/none/such.toml"\n' + TINY.encode(),
    "extends a folder": b'extends = "outside/.toml"\n' + TINY.encode(),
    "extends a number": b"extends = 1\n" + TINY.encode(),
    "extends a zero": b'extends = "a\\u0000.toml"\n' + TINY.encode(),
    "prompts up": _with('prompts = "toybox"', 'prompts = "../../toybox"'),
    "prompts a folder": _with('prompts = "toybox"', 'prompts = "outside"'),
    "prompts with a zero": _with('prompts = "toybox"', 'prompts = "a\\u0000.toml"'),
    "prompts of another file": _with('prompts = "toybox"', 'prompts = "bad.toml"'),
    "prompts a number": _with('prompts = "toybox"', "prompts = 1"),
    "prompt up": _with('"blue-duck"', '"../escape"'),
    "prior up": _with('prior = "gaussian"', 'prior = "../../../escape"'),
    "prior a file": _with('prior = "gaussian"', 'prior = "outside/secret"'),
    "prior with a zero": _with('prior = "gaussian"', 'prior = "a\\u0000"'),
    "prior long": _with('prior = "gaussian"', f'prior = "{"a/" * 3000}"'),
    "scorers unknown": _with('scorers = "toybox"', 'scorers = "../toybox"'),
    "metric a module": _with('"ground_truth"', '"os.system"'),
    "scene without a name": _with('name = "nerf"', ""),
    "scene's name a list": _with('name = "nerf"', 'name = ["nerf"]'),
    "scene's samples negative": _with("samples = 14", "samples = -8"),
    "scene's samples NaN": _with("samples = 14", "samples = nan"),
    "scene unknown": _with('name = "nerf"', 'name = "../nerf"'),
    "scene's generator": _with('marching = { name = "occupancy", samples = 14 }', "generator = 1"),
    "figure up": TINY.encode() + b'[[figures]]\nname = "../escape"\nkind = "arms"\ntitle = "x"\n',
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_bad_study_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("untouched")
    (tmp_path / "bad.toml").write_bytes(STUDIES[name])
    assert _status(["run", "bad.toml"], capsys) == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bad.toml", "outside", "secret"]


@pytest.mark.parametrize("seed", range(FLIPPED))
def test_a_study_with_flipped_bytes_is_refused_or_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    damaged = bytearray(TINY.encode())
    for place in rng.integers(0, len(damaged), 3):
        damaged[place] = int(rng.integers(256))
    (tmp_path / "bad.toml").write_bytes(damaged)
    _status(["plan", "bad.toml"], capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


#: Command lines next to a good study.
ARGUMENTS = [
    ["run", "a\0b.toml"],
    ["run", "x" * 5000],
    ["run", "x" * 5000 + ".toml"],
    ["run", ""],
    ["run", "tiny.toml", "--out", "x" * 5000],
    ["run", "tiny.toml", "--out", "tiny.toml/below"],
    ["run", "tiny.toml", "--prompts", "../escape"],
    ["run", "tiny.toml", "--methods", "../escape"],
    ["run", "tiny.toml", "--seeds", "-1"],
    ["verify", "a\0b"],
    ["merge", "tiny.toml", "--out", "out"],
    ["compare", "tiny.toml", "tiny.toml"],
    ["export", "tiny.toml", "--mesh", "a.glb"],
    ["export", "a\0b", "--mesh", "a.glb"],
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=lambda arguments: " ".join(arguments)[:40].replace("\0", "0"))
def test_bad_arguments_are_one_line(
    study_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(study_file.parent)
    assert _status(arguments, capsys) == 2
    assert [path.name for path in study_file.parent.iterdir()] == ["tiny.toml"]
