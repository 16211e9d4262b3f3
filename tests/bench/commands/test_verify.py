from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

import bench.commands.verify
from bench.cli import main
from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.commands.verify import verify_run
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.study import Study
from methods.weights import WeightsMissingError, file_sha256


def _verified(study: Study, store: RunStore, **options) -> tuple[bool, str]:
    out = io.StringIO()
    is_right = verify_run(study, store, Console(file=out, width=200), **options)
    return is_right, out.getvalue()


def _flip(path: Path) -> None:
    """One bit, so that neither the size nor the name tells."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _forget_hashes(folder: Path) -> None:
    """As records were before there were hashes."""
    fields = json.loads((folder / "record.json").read_text())
    fields["file_sha256"], fields["record_sha256"] = {}, None
    fields["file_bytes"] = {name: (folder / name).stat().st_size for name in fields["file_bytes"]}
    (folder / "record.json").write_text(json.dumps(fields))


def _garble(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(b"\x00" * path.stat().st_size)
    _forget_hashes(folder)


def _shrink(folder: Path) -> None:
    Image.new("RGB", (4, 4)).save(folder / "views" / "rgb_000.png")
    _forget_hashes(folder)


def _drop_event(folder: Path) -> None:
    path = folder / "events.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    _forget_hashes(folder)


def _quicken(folder: Path) -> None:
    path = folder / "record.json"
    text = path.read_text()
    path.write_text(text.replace('"optimise": ', '"optimise": 1', 1))
    assert path.read_text() != text


DAMAGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit of an image": (lambda folder: _flip(folder / "views" / "rgb_001.png"), r"rgb_001.png: .*SHA-256 is"),
    "a bit of the scene": (lambda folder: _flip(folder / "scene.safetensors"), r"scene.safetensors: .*SHA-256 is"),
    "a bit of the events": (lambda folder: _flip(folder / "events.jsonl"), r"events.jsonl: .*SHA-256 is"),
    "a cut record": (lambda folder: (folder / "record.json").write_text("{"), r"record.json: corrupt record"),
    "a missing file": (lambda folder: (folder / "views" / "rgb_001.png").unlink(), r"rgb_001.png: .*missing"),
    "no image, no hash": (lambda folder: _garble(folder, "views/rgb_000.png"), r"rgb_000.png: cannot be read as a"),
    "no scene, no hash": (lambda folder: _garble(folder, "scene.safetensors"), r"scene.safetensors: .*no safetensors"),
    "no events, no hash": (lambda folder: _garble(folder, "events.jsonl"), r"events.jsonl: corrupt record"),
    "a small image": (_shrink, r"is of 4 × 4 pixels, not 8 × 8"),
    "a number of the record": (_quicken, r"record.json: corrupt record: was changed after it was written"),
    "a lost event": (_drop_event, r"has 3 steps, the record 4"),
}


def test_a_whole_run_is_right(study: Study, finished: RunStore) -> None:
    before = {path: path.read_bytes() for path in finished.folder.rglob("*") if path.is_file()}
    is_right, text = _verified(study, finished, redo=True)
    assert is_right, text
    assert "4 cells scored again" in text
    assert {path: path.read_bytes() for path in finished.folder.rglob("*") if path.is_file()} == before


def test_a_record_without_hashes_is_judged_by_size_and_content(study: Study, finished: RunStore) -> None:
    for folder in finished.record_folders():
        _forget_hashes(folder)
    is_right, text = _verified(study, finished)
    assert is_right
    assert re.search(r"of these without a SHA-256, whose numbers may have been\s+changed +│ 4", text), text


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_spoilt_is_found_set_aside_and_done_again(
    study: Study, finished: RunStore, console: Console, name: str
) -> None:
    spoil, message = DAMAGED[name]
    cell = expand(study)[1]
    folder = finished.cell_folder(cell)
    spoil(folder)
    damaged = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    is_right, text = _verified(study, finished, rescored=0)
    assert not is_right
    assert [line for line in text.splitlines() if line.startswith("corrupt: ")]
    assert re.search(message, text), text
    assert not _verified(study, finished, rescored=0, redo=True)[0]
    [kept] = (finished.folder / "set-aside").iterdir()
    assert {path.relative_to(kept): path.read_bytes() for path in kept.rglob("*") if path.is_file()} == damaged
    assert not _verified(study, finished, rescored=0)[0]  # missing now
    run_study(study, finished, console)
    assert _verified(study, finished)[0]


def test_a_missing_record_is_wrong(study: Study, finished: RunStore) -> None:
    shutil.rmtree(finished.cell_folder(expand(study)[0]))
    is_right, text = _verified(study, finished)
    assert not is_right
    assert "missing: " in text
    assert "3 cells scored again" in text


def test_a_score_that_does_not_come_out_again_is_wrong(study: Study, finished: RunStore, console: Console) -> None:
    cell = expand(study)[0]
    path = finished.folder / "scores.parquet"
    frame = pd.read_parquet(path)
    mine = (frame["cell"] == cell.identity) & (frame["metric"] == "psnr") & (frame["view"] == 1)
    frame.loc[mine, "value"] += 0.01
    frame.to_parquet(path, index=False)
    is_right, text = _verified(study, finished, redo=True)
    assert not is_right
    assert "score: scores.parquet: 1 cell of sds has other scores than are kept (psnr by 0.01)" in text
    assert not path.exists()
    assert not (finished.folder / "scores" / cell.folder_name).exists()  # of the two, either may be wrong
    score_study(study, finished, console)
    assert _verified(study, finished)[0]
    _rescale(finished, cell.folder_name, 1.01)
    is_right, text = _verified(study, finished, redo=True)
    assert not is_right
    assert f"score: scores.parquet: psnr of {cell.folder_name}: scored again it is off by " in text
    assert "than are kept" not in text
    assert not (finished.folder / "scores" / cell.folder_name).exists()
    score_study(study, finished, console)
    assert _verified(study, finished)[0]


def test_a_score_that_is_there_or_again_only_has_no_difference(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(finished.folder / "scores")  # with which the table is compared elsewhere
    path = finished.folder / "scores.parquet"
    frame = pd.read_parquet(path)
    mine = (frame["cell"] == expand(study)[0].identity) & (frame["metric"] == "psnr")
    frame.assign(value=frame["value"].mask(mine & (frame["view"] == 1))).to_parquet(path, index=False)
    is_right, text = _verified(study, finished)
    assert not is_right
    assert "scored again it has a value, which is not there, for 1 of 3 views" in text
    frame.to_parquet(path, index=False)
    scores = bench.commands.verify.checked_scores

    def without(*given: object) -> dict[str, list[float]]:
        again = scores(*given)  # type: ignore[arg-type]
        return {**again, "psnr": [float("nan"), *again["psnr"][1:]]}

    monkeypatch.setattr(bench.commands.verify, "checked_scores", without)
    is_right, text = _verified(study, finished)
    assert not is_right
    assert "scored again it has no value, for 1 of 3 views" in text
    assert "off by" not in text


def _rescale(store: RunStore, cell: str, factor: float) -> None:
    """As if another machine had scored a cell: its kept scores, and the table."""
    for path in store.folder.glob(f"scores/{cell}/*.json"):
        scores = json.loads(path.read_text())
        new = {name: [factor * value for value in values] for name, values in scores.items() if name != "code_sha256"}
        path.write_text(json.dumps(scores | new))
    path = store.folder / "scores.parquet"
    frame = pd.read_parquet(path)
    identities = {each.folder_name: each.identity for each in expand(store.read_study())}
    frame.loc[frame["cell"] == identities[cell], "value"] *= factor
    frame.to_parquet(path, index=False)


def test_a_kept_score_that_was_changed_does_not_come_into_the_table(
    study: Study, finished: RunStore, console: Console
) -> None:
    cell = expand(study)[0]
    table = pd.read_parquet(finished.folder / "scores.parquet")
    [kept] = finished.folder.glob(f"scores/{cell.folder_name}/*.json")
    scores = json.loads(kept.read_text())
    kept.write_text(json.dumps(scores | {"psnr": [99.0] * 3}))
    is_right, text = _verified(study, finished, rescored=0, redo=True)
    assert not is_right
    assert "1 cell of sds has other scores than are kept" in text
    score_study(study, finished, console)
    pd.testing.assert_frame_equal(pd.read_parquet(finished.folder / "scores.parquet"), table)


@pytest.mark.parametrize("rescored", [0, 4])
def test_rows_that_are_gone_are_found(study: Study, finished: RunStore, rescored: int) -> None:
    path = finished.folder / "scores.parquet"
    frame = pd.read_parquet(path)
    worst = frame[frame["metric"] == "psnr"].groupby("cell")["value"].idxmin()
    frame.drop(worst).to_parquet(path, index=False)
    is_right, text = _verified(study, finished, rescored=rescored)
    assert not is_right
    assert "2 cells of sdi have other scores than are kept (psnr by a value)" in text


def test_round_off_is_no_error(study: Study, finished: RunStore) -> None:
    for cell in expand(study):
        _rescale(finished, cell.folder_name, 1 + 5e-5)
    is_right, text = _verified(study, finished)
    assert is_right, text


def test_a_cell_that_is_not_scored_is_wrong(study: Study, finished: RunStore) -> None:
    path = finished.folder / "scores.parquet"
    frame = pd.read_parquet(path)
    frame[frame["cell"] != expand(study)[0].identity].to_parquet(path, index=False)
    is_right, text = _verified(study, finished)
    assert not is_right
    assert "not there; score the run again" in text


def test_scorers_with_other_weights_are_told(study: Study, finished: RunStore) -> None:
    path = finished.folder / "metric_columns.parquet"
    frame = pd.read_parquet(path)
    frame["card"] = [json.dumps(json.loads(card) | {"weights_sha256": "f" * 64}) for card in frame["card"]]
    frame.to_parquet(path, index=False)
    is_right, text = _verified(study, finished)
    assert not is_right
    assert "weights: psnr was scored with weights ffffffffffff" in text


def test_a_prior_with_other_weights_is_wrong_and_a_missing_one_is_not(study: Study, finished: RunStore) -> None:
    held = finished.read_study()
    prior = held.pinned.prior.model_copy(update={"weights_sha256": "f" * 64})
    other = held.model_copy(update={"pinned": held.pinned.model_copy(update={"prior": prior})})
    finished.write_study(other)
    is_right, text = _verified(other, finished, rescored=0)
    assert not is_right
    assert "weights: prior = 'gaussian': its weights have SHA-256 none, and the run was started with ffffff" in text
    for name in ("/none/such", "of-a-package-that-is-not-here"):
        gone = held.model_copy(update={"prior": held.prior.model_copy(update={"name": name})})
        finished.write_study(gone)
        is_right, text = _verified(gone, finished)
        assert is_right, text


def test_records_are_checked_without_the_scorers_and_scores_are_not(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(study: Study) -> object:
        raise WeightsMissingError(f"no weights of {study.scorer_suite}")

    monkeypatch.setattr(bench.commands.verify, "load_scorers", lacking)
    is_right, text = _verified(study, finished)
    assert is_right
    assert "none scored again: no weights of toybox" in text
    _flip(finished.cell_folder(expand(study)[0]) / "views" / "rgb_000.png")
    assert not _verified(study, finished)[0]


def test_a_device_that_is_not_here_keeps_no_other_finding_from_being_shown(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.scores.scorers.study_suite", lambda _: SimpleNamespace(uses_gpu=True))
    monkeypatch.setenv("SDIBENCH_DEVICE", "cuda:7")
    _flip(finished.cell_folder(expand(study)[0]) / "views" / "rgb_000.png")
    is_right, text = _verified(study, finished)
    assert not is_right
    assert "none scored again: SDIBENCH_DEVICE = 'cuda:7'" in text
    assert "rgb_000.png: corrupt record" in text


def test_which_cells_are_scored_again_follows_the_seed(study: Study, finished: RunStore) -> None:
    for cell in expand(study):
        _rescale(finished, cell.folder_name, 2.0)

    def sampled(seed: int) -> set[str]:
        text = _verified(study, finished, rescored=1, seed=seed)[1]
        return {line.split(" of ")[1].split(":")[0] for line in text.splitlines() if line.startswith("score: ")}

    assert [len(sampled(seed)) for seed in range(3)] == [1, 1, 1]
    assert sampled(0) == sampled(0)
    assert len(set.union(*(sampled(seed) for seed in range(8)))) > 1


def test_a_run_that_is_not_scored_is_right_and_says_so(study: Study, finished: RunStore) -> None:
    (finished.folder / "scores.parquet").unlink()
    is_right, text = _verified(study, finished)
    assert is_right
    assert "not scored yet" in text


def test_the_command_has_three_ends(
    study: Study, finished: RunStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = str(finished.folder)
    assert main(["verify", run]) == 0
    _flip(finished.cell_folder(expand(study)[0]) / "views" / "rgb_000.png")
    assert main(["verify", run, "--redo", "--rescore", "0"]) == 1
    assert "set aside: " in capsys.readouterr().out
    assert main(["verify", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_hashes_are_of_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")  # the standard's own example (FIPS 180-4)
    assert file_sha256(tmp_path / "x").startswith("ba7816bf8f01cfea")
