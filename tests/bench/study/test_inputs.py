"""Files and records that scenes start from: known by their content, wherever they are."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.commands.merge import merge_runs
from bench.errors import InputError
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.inputs import input_hashes
from bench.study.pinning import pin
from bench.study.study import load_study, parse_study

PROMPTS = ("blue-duck", "red-striped-car")


@pytest.fixture
def make(study_file: Path, tmp_path: Path) -> Callable[..., Path]:
    """A folder with a study that starts from a file for each prompt."""

    def folder(name: str, initialisation: str = '{ name = "points", path = "clouds/{prompt}.ply" }') -> Path:
        text = study_file.read_text()
        start, end = text.index('name = "nerf"'), text.index("[render]")
        scene = f'name = "gaussians"\ncount = 20\ninitialisation = {initialisation}\n'
        (tmp_path / name / "clouds").mkdir(parents=True)
        for prompt in PROMPTS:
            (tmp_path / name / "clouds" / f"{prompt}.ply").write_text(f"points of {prompt}")
        (tmp_path / name / "tiny.toml").write_text(text[:start] + scene + text[end:])
        return tmp_path / name

    return folder


def test_each_cell_has_its_prompt_s_file_and_its_hash(make: Callable[..., Path]) -> None:
    folder = make("here")
    cells = expand(load_study(folder / "tiny.toml"))
    assert len({cell.identity for cell in cells}) == len(cells) == 4
    for cell in cells:
        part = cell.scene["initialisation"]
        assert part["path"] == str(folder / "clouds" / f"{cell.prompt_id}.ply")
        assert part["sha256"] == hashlib.sha256(f"points of {cell.prompt_id}".encode()).hexdigest()


def test_the_content_is_in_the_identity_and_the_place_is_not(make: Callable[..., Path]) -> None:
    here, there = make("here"), make("there", '{ name = "points", path = "elsewhere/of-{prompt}.ply" }')
    (there / "elsewhere").mkdir()
    for prompt in PROMPTS:
        shutil.copy(there / "clouds" / f"{prompt}.ply", there / "elsewhere" / f"of-{prompt}.ply")
    studies = [load_study(folder / "tiny.toml") for folder in (here, there)]
    assert studies[0].key == studies[1].key
    assert [cell.identity for cell in expand(studies[0])] == [cell.identity for cell in expand(studies[1])]
    (there / "elsewhere" / "of-blue-duck.ply").write_text("others")
    same = [a.identity == b.identity for a, b in zip(*map(expand, studies), strict=True)]
    assert same == [False, False, True, True]
    other = make("radius", '{ name = "points", path = "clouds/{prompt}.ply", radius = 0.4 }')
    assert load_study(other / "tiny.toml").key != studies[0].key
    assert not {cell.identity for cell in expand(load_study(other / "tiny.toml"))} & {
        cell.identity for cell in expand(studies[0])
    }


def test_a_run_folder_keeps_the_hashes_and_needs_no_file(make: Callable[..., Path], tmp_path: Path) -> None:
    folder = make("here")
    study = load_study(folder / "tiny.toml")
    before, store = expand(study), RunStore(tmp_path / "run")
    store.open(study)
    shutil.rmtree(folder / "clouds")
    held = store.read_study()
    assert expand(held) == before
    assert pin(held) is held
    narrowed = held.narrow(methods=["sdi"], prompt_ids=["blue-duck"])
    assert [cell.identity for cell in expand(narrowed)] == [before[1].identity]
    assert store.check(study).pinned == held.pinned  # for a report with the study's name
    with pytest.raises(InputError, match="is not a file; give the path of one that is there"):
        expand(study)


def test_a_study_without_inputs_is_written_as_before(study_file: Path, tmp_path: Path) -> None:
    RunStore(tmp_path / "run").open(load_study(study_file))
    assert json.loads((tmp_path / "run" / "study.json").read_text())["pinned"].keys() == {"prompt_set", "prior"}


def test_a_pinned_study_learns_of_further_cells(make: Callable[..., Path], tmp_path: Path) -> None:
    folder, store = make("here"), RunStore(tmp_path / "run")
    study = load_study(folder / "tiny.toml")
    store.open(study.narrow(prompt_ids=["blue-duck"]))
    held = store.read_study()
    assert len(held.pinned.inputs) == 2
    whole = parse_study(held.model_dump(mode="json") | {"prompt_ids": list(PROMPTS)}, where="")
    assert pin(whole).pinned.inputs == input_hashes(study)
    assert len(input_hashes(study)) == 4


def test_a_changed_file_is_another_run(make: Callable[..., Path], tmp_path: Path) -> None:
    folder, store = make("here"), RunStore(tmp_path / "run")
    study = load_study(folder / "tiny.toml")
    store.open(study)
    store.check(load_study(folder / "tiny.toml"))
    (folder / "clouds" / "blue-duck.ply").write_text("others")
    with pytest.raises(
        InputError, match=r"with other files or records that its scenes start from \(s.*blue-duck--s0 initialisation"
    ):
        store.check(study)


def test_a_study_may_name_the_hash(make: Callable[..., Path]) -> None:
    right = hashlib.sha256(b"points of blue-duck").hexdigest()
    form = '{{ name = "points", path = "clouds/blue-duck.ply", sha256 = "{}" }}'
    assert expand(load_study(make("right", form.format(right)) / "tiny.toml"))
    with pytest.raises(InputError, match=rf"tiny: scene.initialisation.sha256 = '0000': is not that of .*{right}"):
        expand(load_study(make("wrong", form.format("0000")) / "tiny.toml"))


def test_paths_are_relative_to_the_study(make: Callable[..., Path], tmp_path: Path, monkeypatch) -> None:
    folder = make("here", '{ name = "points", path = "cloud.ply" }')
    monkeypatch.chdir(folder)
    (folder / "cloud.ply").write_text("points")
    (folder / "studies").mkdir()
    (folder / "tiny.toml").rename(folder / "studies" / "tiny.toml")
    with pytest.raises(
        InputError, match=r"scene.initialisation.path = 'cloud.ply': a path in a study is relative.*'../cl"
    ):
        load_study("studies/tiny.toml")
    arm = folder / "arm.toml"
    arm.write_text(
        'extends = "./studies/base.toml"\n[methods.sds.settings.scene.initialisation]\nname = "points"\n'
        'path = "cloud.ply"\n[methods.sdi]\n'
    )
    (folder / "studies" / "base.toml").write_text(
        (folder / "studies" / "tiny.toml").read_text().replace("cloud.ply", "../clouds/{prompt}.ply")
    )
    (folder / "x.ply").write_text("points")
    (folder / "studies" / "x.toml").write_text(
        arm.read_text().replace("cloud.ply", "x.ply").replace("./studies/", "./")
    )
    with pytest.raises(InputError, match=r"methods.sds.settings.scene.initialisation.path = 'x.ply': a path in a st"):
        load_study("studies/x.toml")
    monkeypatch.chdir("/")
    found = {cell.label: cell.scene["initialisation"]["path"] for cell in expand(load_study(arm))}
    assert found == {
        "sds": str(folder / "cloud.ply"),
        "sdi": str(folder / "clouds" / "red-striped-car.ply"),
    }
    (folder / "cloud.ply").unlink()
    with pytest.raises(InputError, match=r"^arm: methods.sds.settings.scene.initialisation: path: .* is not a file"):
        expand(load_study(arm))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run of a study, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for prompt in PROMPTS:
        place = tmp_path / "runs" / "nerfs" / "cells" / f"sds--{prompt}--s0--0123456789ab"
        place.mkdir(parents=True)
        (place / "scene.safetensors").write_text(f"scene of {prompt}")
    return tmp_path / "runs" / "nerfs"


@pytest.mark.parametrize("run", ["nerfs", "../runs/nerfs", "{source}"])
def test_a_record_is_that_of_the_cell_s_prompt_and_seed(make: Callable[..., Path], source: Path, run: str) -> None:
    form = f'{{ name = "record", run = "{run.format(source=source)}", arm = "sds" }}'
    study = load_study(make("here", form) / "tiny.toml")
    cells = expand(study)
    for cell in cells:
        part = cell.scene["initialisation"]
        assert part["run"] == str(source)
        assert part["seed"] == 0
        assert part["sha256"] == hashlib.sha256(f"scene of {cell.prompt_id}".encode()).hexdigest()
    (source / "cells" / "sds--blue-duck--s0--0123456789ab" / "scene.safetensors").write_text("another scene")
    assert [a.identity == b.identity for a, b in zip(cells, expand(study), strict=True)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ('run = "nefrs", arm = "sds"', r"run: '.*/runs/nefrs' is not a run folder; run its study first"),
        (
            'run = "nerfs", arm = "sdi"',
            "has no finished scene of arm 'sdi', prompt 'blue-duck' and seed 0; it has some of the arms sds",
        ),
        ('run = "nerfs", arm = "sds", seed = 4', "arm 'sds', prompt 'blue-duck' and seed 4"),
        ('run = "nerfs", arm = "sds", sha256 = "00"', "scene.initialisation.sha256 = '00': is not that of "),
        ('run = "nerfs"', "the key 'arm' is missing"),
    ],
)
def test_a_record_that_is_not_there_is_named(make: Callable[..., Path], source: Path, part: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        expand(load_study(make("here", f'{{ name = "record", {part} }}') / "tiny.toml"))
    assert str(caught.value).startswith("tiny: scene")


def test_two_records_of_one_cell_are_not_guessed_between(make: Callable[..., Path], source: Path) -> None:
    one = source / "cells" / "sds--blue-duck--s0--0123456789ab"
    shutil.copytree(one, one.with_name("sds--blue-duck--s0--ffffffffffff"))
    with pytest.raises(InputError, match=r"has 2 records of sds--blue-duck--s0; keep one of them: .*89ab, sds.*ffff"):
        expand(load_study(make("here", '{ name = "record", run = "nerfs", arm = "sds" }') / "tiny.toml"))


def test_runs_of_two_machines_are_united_with_the_hashes_of_both(
    make: Callable[..., Path], tmp_path: Path, console
) -> None:
    stores = []
    for name, prompt in zip(("one", "other"), PROMPTS, strict=True):
        folder = make(name)
        stores.append(RunStore(tmp_path / f"run-{name}"))
        stores[-1].open(load_study(folder / "tiny.toml").narrow(prompt_ids=[prompt]))
        whole = expand(load_study(folder / "tiny.toml"))
        shutil.rmtree(folder)
    assert merge_runs(stores, RunStore(tmp_path / "both"), console)
    united = RunStore(tmp_path / "both").read_study()
    assert len(united.pinned.inputs) == 4
    assert {cell.identity for cell in expand(united)} == {cell.identity for cell in whole}


@pytest.mark.usefixtures("run_of_base")
def test_both_methods_of_the_ablation_start_from_one_record() -> None:
    cells = expand(load_study("ablation_initialisation"))
    starts = {cell.label: cell.scene["initialisation"] for cell in cells if cell.prompt_id == "blue-duck"}
    assert {label: start["name"] for label, start in starts.items()} == {
        f"{method}-{name}": name for method in ("sds", "sdi") for name in ("ball", "blob", "record")
    }
    assert starts["sds-record"] == starts["sdi-record"]


def test_a_study_that_starts_from_a_run_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"runs/gaussians' is not a run folder; run its study first"):
        expand(load_study("ablation_initialisation"))
