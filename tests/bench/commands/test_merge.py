from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from safetensors.torch import load_file

import bench.commands.merge
from bench.cli import main
from bench.commands.merge import merge_runs, united
from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.commands.verify import verify_run
from bench.errors import InputError
from bench.records.read_record import read_record
from bench.records.record import EVENTS_FILE
from bench.records.seal import sealed
from bench.records.store import RunStore
from bench.study.cell import SCENE_FILE
from bench.study.expand import expand
from bench.study.pinning import pin
from bench.study.study import Study, load_study
from bench.watch.divergence import Status
from methods.priors import priors
from methods.weights import file_sha256, write_tensors

Files = dict[str, bytes]


def _files(folder: Path) -> Files:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _merged(target: RunStore, *sources: RunStore) -> tuple[bool, str]:
    out = io.StringIO()
    is_right = merge_runs(sources, target, Console(file=out, width=200))
    return is_right, out.getvalue()


def _part(finished: RunStore, study: Study, folder: Path, *numbers: int) -> RunStore:
    """A run folder with some of the finished records, as another machine would have."""
    part = RunStore(folder)
    part.open(study)
    for number in numbers:
        cell = expand(study)[number]
        shutil.copytree(finished.cell_folder(cell), part.cell_folder(cell))
        shutil.copytree(finished.folder / "scores" / cell.folder_name, folder / "scores" / cell.folder_name)
    return part


@pytest.fixture
def parts(finished: RunStore, study: Study, tmp_path: Path) -> tuple[RunStore, RunStore]:
    return _part(finished, study, tmp_path / "a", 0, 1, 2), _part(finished, study, tmp_path / "b", 2, 3)


@pytest.fixture
def target(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "whole")


def test_parts_become_the_whole_and_stay_as_they_are(
    study: Study, finished: RunStore, parts: tuple[RunStore, RunStore], target: RunStore, console: Console
) -> None:
    before = [_files(part.folder) for part in parts]
    is_right, text = _merged(target, *parts)
    assert is_right
    assert "records copied 4, there already 1, differing or left out 0" in text
    assert _files(target.folder / "cells") == _files(finished.folder / "cells")
    assert _files(target.folder / "scores") == _files(finished.folder / "scores")
    assert [_files(part.folder) for part in parts] == before
    assert verify_run(study, target, console)
    score_study(study, target, console)
    assert verify_run(study, target, console)


def test_plain_copying_is_a_merge(
    study: Study, parts: tuple[RunStore, RunStore], target: RunStore, console: Console
) -> None:
    for part in parts:
        shutil.copytree(part.folder, target.folder, dirs_exist_ok=True)
    run_study(study, target, console)
    assert "4 cells, 4 done, 0 to run" in console.file.getvalue()
    assert verify_run(study, target, console)


def test_a_merge_again_changes_nothing(parts: tuple[RunStore, RunStore], target: RunStore) -> None:
    _merged(target, *parts)
    before = _files(target.folder)
    is_right, text = _merged(target, *parts)
    assert is_right
    assert "records copied 0, there already 5" in text
    assert _files(target.folder) == before


def test_of_two_records_of_one_result_the_first_is_enough(
    study: Study, parts: tuple[RunStore, RunStore], target: RunStore, console: Console
) -> None:
    cell = expand(study)[2]
    first, second = (part.cell_folder(cell) for part in parts)
    shutil.rmtree(second)
    run_study(study, parts[1], console)  # on the other machine: the same bits, other times
    assert _files(first).keys() == _files(second).keys()
    assert _files(first) != _files(second)
    is_right, text = _merged(target, *parts)
    assert is_right
    line = "tiny: cells that were run twice to the same bits, whose times or code differ, and the first is kept: 3\n"
    assert line in text
    assert "records copied 4, there already 3, differing or left out 0" in text
    assert _files(target.cell_folder(cell)) == _files(first)
    assert not (target.folder / "set-aside").exists()
    assert verify_run(study, target, console)


def _of_other_scene(folder: Path) -> str:
    """As of a machine whose sums have another order."""
    tensors = load_file(folder / SCENE_FILE)
    write_tensors({name: tensor + 1 for name, tensor in tensors.items()}, folder / SCENE_FILE)
    return SCENE_FILE


def _of_other_losses(folder: Path) -> str:
    path = folder / EVENTS_FILE
    path.write_text(path.read_text().replace('"loss":', '"loss":1', 1))
    return EVENTS_FILE


def _of_another_status(folder: Path) -> str:
    return EVENTS_FILE  # which is as it was


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (_of_other_scene, "record.json, scene.safetensors"),
        (_of_other_losses, "events.jsonl, record.json"),
        (_of_another_status, "record.json"),
    ],
)
def test_of_two_results_of_a_cell_the_first_is_kept_and_the_other_set_aside(
    study: Study,
    parts: tuple[RunStore, RunStore],
    target: RunStore,
    console: Console,
    change: Callable[[Path], str],
    names: str,
) -> None:
    cell = expand(study)[2]
    first, second = (part.cell_folder(cell) for part in parts)
    record = read_record(second)
    name = change(second)
    files = {"file_sha256": record.file_sha256 | {name: file_sha256(second / name)}}
    files["file_bytes"] = record.file_bytes | {name: (second / name).stat().st_size}
    status = Status.FROZEN if names == "record.json" else record.status
    (second / "record.json").write_text(sealed(record.model_copy(update={**files, "status": status})))
    is_right, text = _merged(target, *parts)
    assert not is_right
    assert f"differs and is set aside: {second}: {names}\n" in text
    assert _files(target.cell_folder(cell)) == _files(first)
    [aside] = [path for path in (target.folder / "set-aside").iterdir() if path.name.startswith(cell.folder_name)]
    assert _files(aside) == _files(second)
    before = _files(target.folder)
    assert not _merged(target, *parts)[0]
    assert _files(target.folder) == before
    assert verify_run(study, target, console)


def test_what_is_corrupt_is_left_out_and_told(study: Study, parts: tuple[RunStore, RunStore], target: RunStore) -> None:
    cell = expand(study)[3]
    path = parts[1].cell_folder(cell) / "views" / "rgb_000.png"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    is_right, text = _merged(target, *parts)
    assert not is_right
    assert f"left out: {path}: corrupt record: SHA-256" in text
    assert not target.has(cell)
    assert len(target.record_folders()) == 3


def test_a_folder_without_its_record_is_left_out_and_told(
    study: Study, parts: tuple[RunStore, RunStore], target: RunStore
) -> None:
    folder = parts[1].cell_folder(expand(study)[3])
    (folder / "record.json").unlink()
    is_right, text = _merged(target, *parts)
    assert not is_right
    assert f"left out: {folder / 'record.json'}" in text
    assert len(target.record_folders()) == 3


def test_a_merge_that_is_cut_short_goes_on(
    finished: RunStore, parts: tuple[RunStore, RunStore], target: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    copyfile, calls = shutil.copyfile, []
    files = [path for path in parts[0].record_folders()[0].rglob("*") if path.is_file()]

    def interrupted(source: Path, place: Path, **options: object) -> object:
        calls.append(source)
        if len(calls) == len(files) + 6:  # in the midst of the second record
            raise KeyboardInterrupt
        return copyfile(source, place, **options)

    with monkeypatch.context() as patch:
        patch.setattr(bench.commands.merge.shutil, "copyfile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _merged(target, *parts)
    assert len(target.record_folders()) == 1
    assert list(target.folder.glob("**/.partial-*")) == []
    assert _merged(target, *parts)[0]
    assert _files(target.folder / "cells") == _files(finished.folder / "cells")
    assert _files(target.folder / "scores") == _files(finished.folder / "scores")


def test_one_run_is_merged_into_another(parts: tuple[RunStore, RunStore]) -> None:
    assert _merged(parts[0], *parts)[0]
    assert len(parts[0].record_folders()) == 4


def test_narrowed_runs_unite_to_their_study(study: Study, finished: RunStore, tmp_path: Path, console: Console) -> None:
    stores = []
    for part in (study.narrow(methods=["sds"]), study.narrow(methods=["sdi"])):
        store = RunStore(tmp_path / part.name)
        store.open(part)
        for cell in expand(part):
            shutil.copytree(finished.cell_folder(cell), store.cell_folder(cell))
        stores.append(store)
    target = RunStore(tmp_path / "whole")
    assert _merged(target, *stores)[0]
    whole = target.read_study()
    assert set(whole.methods) == {"sds", "sdi"}
    assert {cell.identity for cell in expand(whole)} == {cell.identity for cell in expand(study)}
    assert verify_run(whole, target, console)


def test_united_studies(study: Study) -> None:
    ducks, cars = (study.narrow(prompt_ids=[name]) for name in ("blue-duck", "red-striped-car"))
    both = united([ducks, cars])
    assert both.key == study.key
    assert both.name == f"tiny-{study.key[:6]}"
    assert united([ducks, study]) is study
    assert united([study, ducks]) is study
    more = united([study, study.narrow(seeds=[3])])
    assert more.seeds == (0, 3)
    assert more.name == f"tiny-{more.key[:6]}"
    whole_set = study.model_copy(update={"prompt_ids": None})
    assert united([ducks, whole_set]) is whole_set


def test_other_studies_are_refused(study: Study, parts: tuple[RunStore, RunStore], target: RunStore) -> None:
    parts[1].write_study(study.narrow(steps=3))
    with pytest.raises(InputError, match=r"tiny and tiny-.* differ in steps: they cannot be merged"):
        _merged(target, *parts)
    arm = {"sds": study.methods["sds"], "sdi": {"guidance_scale": 3.0}}
    with pytest.raises(InputError, match=r"differ in methods.sdi: they cannot be merged"):
        united([study.narrow(methods=["sds"]), study, study.model_copy(update={"methods": arm})])
    assert not target.folder.exists()


def test_a_record_of_a_link_or_another_name_is_left_out(
    study: Study, parts: tuple[RunStore, RunStore], target: RunStore, tmp_path: Path
) -> None:
    cell = expand(study)[3]
    folder = parts[1].cell_folder(cell)
    folder.rename(folder.with_name("innocent"))
    fields = json.loads((folder.with_name("innocent") / "record.json").read_text())
    fields["cell"]["label"] = "../../../escape"
    (folder.with_name("innocent") / "record.json").write_text(json.dumps(fields))
    is_right, text = _merged(target, *parts)
    assert not is_right
    assert "cell.label" in text
    assert not list(tmp_path.rglob("*escape*"))
    (parts[1].folder / "scores" / "x").symlink_to(tmp_path)
    with pytest.raises(InputError, match="is a link out of the run folder"):
        _merged(target, *parts)


def test_the_command(parts: tuple[RunStore, RunStore], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(part.folder) for part in parts]
    assert main(["merge", *folders, "--out", str(tmp_path / "c")]) == 0
    assert main(["merge", *folders, str(tmp_path / "none"), "--out", str(tmp_path / "d")]) == 2
    assert f"{tmp_path}/none: there is no such folder" in capsys.readouterr().err
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").touch()
    assert main(["merge", *folders, "--out", str(tmp_path / "photos")]) == 2
    assert "is not a run folder" in capsys.readouterr().err


def _on_machine(folder: Path, study_file: Path, *, prior: str, prompts: str, texts: str) -> RunStore:
    """A run folder, with nothing done, of a study whose prior and list are called otherwise on this machine."""
    folder.mkdir()
    shutil.copytree(priors["toybox"].folder(), folder / prior)
    (folder / prompts).write_text(texts)
    text = study_file.read_text().replace('"gaussian"', f'"{prior}"').replace('"toybox"\nprompt_ids', f'"{prompts}"\n#')
    (folder / "own.toml").write_text(text)
    store = RunStore(folder / "run")
    store.open(load_study(folder / "own.toml"))
    return store


def test_runs_of_one_list_and_prior_under_other_names_are_merged(
    study_file: Path, tmp_path: Path, target: RunStore
) -> None:
    texts = "a blue duck\na red car\n"
    first = _on_machine(tmp_path / "a", study_file, prior="sdA", prompts="mine.txt", texts=texts)
    second = _on_machine(tmp_path / "b", study_file, prior="copy-of-sdA", prompts="list.txt", texts=texts)
    shutil.rmtree(tmp_path / "a" / "sdA")
    assert _merged(target, first, second)[0]
    assert target.read_study().pinned == first.read_study().pinned
    assert len(expand(target.read_study())) == 4


def test_runs_of_other_lists_or_weights_are_not_merged(study_file: Path, tmp_path: Path, target: RunStore) -> None:
    first = _on_machine(tmp_path / "a", study_file, prior="sdA", prompts="mine.txt", texts="a blue duck\na red car\n")
    second = _on_machine(tmp_path / "b", study_file, prior="sdA", prompts="mine.txt", texts="a blue duck\na red bus\n")
    with pytest.raises(InputError, match=r"differ in prompts \(.*first in 'a red car' and 'a red bus'\): they cannot"):
        _merged(target, first, second)
    one = first.read_study()
    other = one.pinned.prior.model_copy(update={"weights_sha256": "f" * 64})
    changed = one.model_copy(update={"pinned": one.pinned.model_copy(update={"prior": other})})
    with pytest.raises(InputError, match=r"differ in weights of the prior \(.*and .*with SHA-256 ffffffffffff\)"):
        united([one, changed])


def test_a_run_of_before_there_were_pinned_studies_merges_with_a_later_one(study: Study) -> None:
    later = pin(study)
    for studies in ([study, later], [later, study]):
        assert united(studies).pinned == later.pinned
