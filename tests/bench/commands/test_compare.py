from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bench.cli import main
from bench.commands.compare import compare_runs
from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.errors import InputError
from bench.records.read_record import read_record
from bench.records.record import Record
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.study import load_study
from metrics.card import MetricCard
from prompts import load_prompt_set

from ..conftest import TINY  # noqa: TID252  (tests are no package)

PROMPTS = [prompt.id for prompt in load_prompt_set("toybox").prompts][:7]


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored run of seven prompts and two seeds, few enough to be quick and enough for an interval."""
    folder = tmp_path_factory.mktemp("wide")
    text = TINY.replace('["blue-duck", "red-striped-car"]', json.dumps(PROMPTS)).replace("steps = 4", "steps = 1")
    (folder / "wide.toml").write_text(text.replace("threads", "seeds = [0, 1]\nthreads"))
    study, store = load_study(folder / "wide.toml"), RunStore(folder / "run")
    console = Console(file=io.StringIO())
    run_study(study, store, console)
    score_study(study, store, console)
    return store.folder


@pytest.fixture
def pair(wide: Path, tmp_path: Path) -> tuple[RunStore, RunStore]:
    """The same run twice; the second is to be changed."""
    return RunStore(wide), RunStore(Path(shutil.copytree(wide, tmp_path / "b")))


def _change_scores(store: RunStore, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = store.folder / "scores.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)


def _change_records(store: RunStore, change: Callable[[dict], None], pattern: str = "sdi--*") -> None:
    for path in store.folder.glob(f"cells/{pattern}/record.json"):
        fields = json.loads(path.read_text())
        change(fields)
        path.write_text(json.dumps(fields))


def _shifted(frame: pd.DataFrame) -> pd.DataFrame:
    """SDI's PSNR up by 1, 2, … 7 dB by prompt, and by 10 more for seed 1."""
    mine = (frame["method"] == "sdi") & (frame["metric"] == "psnr")
    by_prompt = frame["prompt_id"].map({name: index + 1.0 for index, name in enumerate(PROMPTS)})
    frame.loc[mine, "value"] += (by_prompt + 10.0 * frame["seed"])[mine]
    return frame


def test_the_difference_is_b_less_a_over_prompts(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    _change_scores(b, _shifted)
    estimates = compare_runs(a, b).estimates
    found = estimates["sdi", "psnr"]
    assert found.value == pytest.approx(4.0 + 5.0)
    assert found.n == 7  # prompts, not cells
    assert 5.5 < found.interval.low < 9.0 < found.interval.high < 12.5
    assert compare_runs(b, a).estimates["sdi", "psnr"].value == pytest.approx(-9.0)
    unchanged = estimates["sds", "psnr"]
    assert (unchanged.value, unchanged.interval.reason) == (0.0, "all values are the same")
    assert estimates["sdi", "ssim"].value == 0.0


def test_scaled_columns_are_in_the_printed_unit(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    columns = pd.read_parquet(a.folder / "metric_columns.parquet").set_index("metric")
    scale = columns.loc["iou", "scale"]
    assert scale == 100
    _change_scores(b, lambda frame: frame.assign(value=frame["value"] + 0.01 * (frame["metric"] == "iou")))
    assert compare_runs(a, b).estimates["sds", "iou"].value == pytest.approx(1.0)


def test_cost_and_divergence_have_columns(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair

    def slower(fields: dict) -> None:
        fields["seconds"]["optimise"] *= 2.0

    _change_records(b, slower)
    _change_records(b, lambda fields: fields.update(status="empty"), f"sdi--{PROMPTS[0]}--s*")
    _change_records(b, lambda fields: fields.update(status="crashed"), f"sdi--{PROMPTS[1]}--s*")
    estimates = compare_runs(a, b).estimates
    assert estimates["sdi", "optimise_seconds"].value == pytest.approx(2.0)
    assert estimates["sdi", "optimise_seconds"].n == 5
    assert estimates["sds", "optimise_seconds"].value == pytest.approx(1.0)
    assert estimates["sdi", "diverged"].value == pytest.approx(100 / 6)  # the crashed prompt says nothing
    assert estimates["sdi", "psnr"].n == 5


def test_the_table_says_what_it_is_of(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    _change_scores(b, _shifted)
    lines = compare_runs(a, b).markdown.splitlines()
    assert re.fullmatch(r"\*\*.*b − .*run\*\*", lines[0])
    assert [line.split()[1] for line in lines[4:6]] == ["sds", "sdi"]  # the study's order
    row = next(line for line in lines if line.startswith("| sdi |"))
    assert re.search(r"\+9\.00 \\\[\+\d+\.\d\d, \+\d+\.\d\d\\\] \(7\)", row)
    assert "0.00 (7; cannot tell)" in next(line for line in lines if line.startswith("| sds |"))
    assert "Cannot tell: all values are the same." in lines[-1]


def test_a_gate_fails_where_a_condition_holds(
    pair: tuple[RunStore, RunStore], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = pair
    _change_scores(b, _shifted)
    folders = [str(b.folder), str(a.folder)]  # the other way round: a loss

    def status(*conditions: str) -> int:
        return main(["compare", *folders, "--fail-if", *conditions])

    assert main(["compare", *folders]) == 0
    assert status("psnr < -9.5", "sds.psnr < -0.5", "sdi.psnr.low < -15", "diverged > 0") == 0
    assert capsys.readouterr().err == ""
    assert status("psnr < -9.5", "psnr < -8.5") == 1
    captured = capsys.readouterr()
    assert captured.err == "sdibench: psnr < -8.5: holds for sdi, mean -9\n"
    assert captured.out.startswith("**")
    assert status("sdi.psnr.high < -5.5") == 1
    assert status("sdi.psnr.low < -20") == 0
    assert status("sds.psnr.high < 0") == 2
    assert "the data cannot tell: all values are the same" in capsys.readouterr().err
    assert status("psnr <") == 2
    assert status("pnsr < 0") == 2
    assert "did you mean psnr" in capsys.readouterr().err


def test_few_prompts_give_a_mean_and_no_interval(finished: RunStore) -> None:
    comparison = compare_runs(finished, finished)
    assert comparison.estimates["sdi", "psnr"].interval.reason == "2 prompts, at least 6 are needed"
    assert comparison.judge(["psnr < -0.5"]) == []
    with pytest.raises(InputError, match="cannot tell: 2 prompts, at least 6 are needed"):
        comparison.judge(["psnr.low < -0.5"])


def _change_cards(store: RunStore, change: Callable[[dict], object], metric: str = "") -> None:
    path = store.folder / "metric_columns.parquet"
    frame = pd.read_parquet(path)
    cards = []
    for name, text in zip(frame["metric"], frame["card"], strict=True):
        fields = json.loads(text)
        if name == metric or not metric:
            change(fields)
        cards.append(json.dumps(fields))
    frame["card"] = cards
    frame.to_parquet(path, index=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 9),
        ("checkpoint", "other"),
        ("weights_sha256", "f" * 64),
        ("preprocessing", "x"),
        ("candidates", 7),
        ("uses_candidates", True),
        ("name", "another"),
    ],
)
def test_a_metric_whose_card_differs_is_not_compared_and_fails_no_gate(
    pair: tuple[RunStore, RunStore], capsys: pytest.CaptureFixture[str], field: str, value: object
) -> None:
    a, b = pair
    _change_scores(b, _shifted)
    _change_cards(b, lambda card: card.update({field: value}), "psnr")
    comparison = compare_runs(a, b)
    assert ("sdi", "psnr") not in comparison.estimates
    assert comparison.estimates["sdi", "ssim"].value == 0.0
    row = next(line for line in comparison.markdown.splitlines() if line.startswith("| sdi |"))
    assert row.count("not comparable") == 1
    assert re.search(rf"^psnr is not comparable: {field} .* score both with", comparison.not_comparable["psnr"])
    assert "psnr is not comparable: " in comparison.markdown
    folders = [str(a.folder), str(b.folder)]
    assert main(["compare", *folders, "--fail-if", "psnr > 0", "sdi.psnr.low > -100"]) == 0
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert all(re.search(r"psnr.* > -?\d+: not judged: psnr is not comparable", line) for line in errors)
    assert main(["compare", *folders, "--fail-if", "psnr > 0", "ssim >= 0"]) == 1
    assert main(["compare", *folders, "--fail-if", "psnr >"]) == 2


@pytest.mark.parametrize(("field", "value"), [("unit", "bel"), ("scale", 3.0), ("direction", "lower")])
def test_a_column_of_another_unit_is_not_compared(pair: tuple[RunStore, RunStore], field: str, value: object) -> None:
    a, b = pair
    _change_cards(b, lambda card: card["columns"][0].update({field: value}))
    comparison = compare_runs(a, b)
    assert list(comparison.not_comparable) == ["psnr"]
    assert f"{field} of its card is" in comparison.not_comparable["psnr"]


def test_titles_and_texts_of_a_card_do_not_matter(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    _change_cards(b, lambda card: card.update(title="x", description="y"))
    assert compare_runs(a, b).not_comparable == {}


def test_other_lists_of_candidates_of_the_same_length_are_not_compared(
    pair: tuple[RunStore, RunStore], tmp_path: Path
) -> None:
    b = pair[1]
    a = RunStore(Path(shutil.copytree(b.folder, tmp_path / "a")))
    card = MetricCard.model_validate_json(pd.read_parquet(a.folder / "metric_columns.parquet")["card"][0])
    ranked = card.model_copy(update={"uses_candidates": True})
    lists = (["x", "y"], ["y", "x", "y"], ["x", "z"], ["x", "y", "z"])
    same, again, other, more = (ranked.scored_among(texts, "toybox") for texts in lists)
    assert same.difference(again, "psnr") is None
    assert [card.difference(same, "psnr")[0] for card in (other, more)] == ["candidates_sha256", "candidates"]
    assert same.difference(other.model_copy(update={"candidates_sha256": ""}), "psnr") is None  # of an older run
    for store, known in ((a, same), (b, other)):
        _change_cards(store, lambda card, known=known: card.update(known.model_dump(exclude={"columns"})))
    assert "candidates_sha256 of its card" in compare_runs(a, b).not_comparable["psnr"]


@pytest.mark.parametrize(
    ("card", "knows_truth", "is_comparable"),
    [
        ({"uses_samples": True}, True, False),
        ({"uses_references": True}, False, False),
        ({"uses_references": True}, True, True),
        ({}, False, True),
    ],
)
def test_scores_relative_to_images_of_another_prior_are_not_compared(
    pair: tuple[RunStore, RunStore], tmp_path: Path, card: dict[str, bool], *, knows_truth: bool, is_comparable: bool
) -> None:
    b = pair[1]
    a = RunStore(Path(shutil.copytree(b.folder, tmp_path / "a")))
    for store, sha256 in ((a, "a" * 64), (b, "b" * 64)):
        _change_cards(store, lambda found: found.update(card), "psnr")
        path = store.folder / "study.json"
        study = json.loads(path.read_text())
        study["pinned"]["prior"]["weights_sha256"] = sha256
        for prompt in study["pinned"]["prompt_set"]["prompts"]:
            prompt["truth"] = prompt["truth"] if knows_truth else None
        path.write_text(json.dumps(study))
    found = compare_runs(a, b).not_comparable
    assert list(found) == ([] if is_comparable else ["psnr"])
    assert is_comparable or "relative to images of the prior, which is gaussian in" in found["psnr"]
    assert compare_runs(a, a).not_comparable == {}


def test_prompts_that_share_only_an_id_are_not_compared(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    _reidentify(b, lambda record: {"prompt": record.cell.prompt + " in the rain"})
    with pytest.raises(InputError, match=r"the prompt .* in the rain.* cannot be compared"):
        compare_runs(a, b)


def _reidentify(store: RunStore, changes: Callable[[Record], dict]) -> None:
    """Other cells in the records, as another code would have made them."""
    identities = {}
    for folder in store.record_folders():
        record = read_record(folder)
        cell = record.cell.model_copy(update=changes(record))
        cell = Cell.model_validate_json(cell.model_dump_json())  # without the cached identity
        identities[record.identity] = cell.identity
        text = record.model_copy(update={"cell": cell, "identity": cell.identity}).model_dump_json()
        (folder / "record.json").write_text(text)
        folder.rename(folder.with_name(cell.folder_name))
    _change_scores(store, lambda frame: frame.assign(cell=frame["cell"].map(identities)))


def test_a_run_of_older_code_is_compared_with_a_newer_one(pair: tuple[RunStore, RunStore]) -> None:
    """What the gate is for: the cells' identities differ, their places in the study do not."""
    a, b = pair
    _change_scores(b, _shifted)
    before = compare_runs(a, b)
    _reidentify(b, lambda record: {"code_version": record.cell.code_version + 1})
    assert compare_runs(a, b).estimates == before.estimates
    shutil.copytree(a.folder / "cells", b.folder / "cells", dirs_exist_ok=True)  # the older ones next to the newer
    assert compare_runs(a, b).estimates == before.estimates


def test_runs_with_nothing_in_common_are_told(pair: tuple[RunStore, RunStore], tmp_path: Path) -> None:
    a, b = pair
    for path in b.folder.glob("cells/*--s*"):
        if not path.name.startswith(f"sds--{PROMPTS[0]}--s0"):
            shutil.rmtree(path)
    assert compare_runs(a, b).estimates["sds", "psnr"].n == 1
    for path in a.folder.glob(f"cells/sds--{PROMPTS[0]}--s0*"):
        shutil.copytree(a.folder, tmp_path / "a")
        shutil.rmtree(tmp_path / "a" / "cells" / path.name)
    with pytest.raises(InputError, match="have no prompt and seed in common"):
        compare_runs(RunStore(tmp_path / "a"), b)
    shutil.rmtree(b.folder / "cells")
    with pytest.raises(InputError, match="has no records"):
        compare_runs(a, b)


def test_a_gate_fails_where_cells_are_lost(pair: tuple[RunStore, RunStore], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = pair
    gate = ["compare", str(a.folder), str(b.folder), "--fail-if", "psnr < -1"]
    assert main(gate) == 0
    for path in b.folder.glob(f"cells/sdi--{PROMPTS[0]}--*"):
        shutil.rmtree(path)
    capsys.readouterr()
    assert main(gate) == 1
    out, error = capsys.readouterr()
    line = f"sdi: 2 of the cells in A have no record in {b.folder}"
    assert "sdi: 2 of the cells in A have no record in" in out
    assert error == f"sdibench: --fail-if: {line}\n"
    assert main(gate[:3]) == 0  # without a condition nothing fails
    for path in b.folder.glob("cells/sdi--*"):
        shutil.rmtree(path)
    capsys.readouterr()
    assert main(gate) == 1
    assert f"sdi: 14 of the cells in A have no record in {b.folder}" in capsys.readouterr().err


def test_a_smaller_study_has_lost_nothing(
    pair: tuple[RunStore, RunStore], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = pair
    study = a.read_study().narrow(methods=["sds"], prompt_ids=PROMPTS[:6], seeds=[0])
    b.write_study(study)
    assert main(["compare", str(a.folder), str(b.folder), "--fail-if", "psnr < -1", "sds.psnr < -1"]) == 0
    out, error = capsys.readouterr()
    assert f"sdi is in {a.folder} only." in out
    assert error == f"sdibench: psnr < -1: not judged: sdi is in {a.folder} only\n"
    assert main(["compare", str(b.folder), str(a.folder), "--fail-if", "psnr < -1"]) == 0
    out, error = capsys.readouterr()
    assert f"sdi is in {a.folder} only." in out
    assert not error


def test_a_folder_without_its_record_is_not_passed_over(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    (b.record_folders()[0] / "record.json").unlink()
    with pytest.raises(InputError, match=r"record\.json"):
        compare_runs(a, b)


def test_settings_of_methods_that_are_not_compared_are_not_told(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    _reidentify(b, lambda record: {"steps": 9 if record.cell.label == "sdi" else record.cell.steps})
    assert "The runs have different steps." in compare_runs(a, b).markdown
    a.write_study(a.read_study().narrow(methods=["sds"]))
    assert "The runs have different" not in compare_runs(a, b).markdown


def test_other_settings_are_told_in_the_caption(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    _reidentify(b, lambda record: {"steps": 9})
    assert "The runs have different steps." in compare_runs(a, b).markdown
    assert np.isclose(compare_runs(a, b).estimates["sds", "psnr"].value, 0.0)


def test_times_of_other_devices_are_told_in_the_caption(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    assert "different devices" not in compare_runs(a, b).markdown
    for folder in b.record_folders():
        path = folder / "record.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"environment": record["environment"] | {"device": "an H100"}}))
    assert "The times are of different devices: " in compare_runs(a, b).markdown
    assert "an H100 in B." in compare_runs(a, b).markdown
