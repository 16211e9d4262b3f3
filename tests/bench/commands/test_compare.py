from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.cli import main
from bench.commands.compare import compare_runs
from bench.errors import InputError
from bench.records.read_record import read_record
from bench.records.record import Record
from bench.records.store import RunStore
from bench.study.cell import Cell
from metrics.card import MetricCard

from .conftest import PROMPTS, change_records, change_scores, shifted


def test_the_difference_is_b_less_a_over_prompts(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    change_scores(b, shifted)
    estimates = compare_runs(a, b).estimates
    found = estimates["sdi", "psnr"]
    assert found.value == pytest.approx(4.0 + 5.0)
    assert found.n == 7  # prompts, not cells
    assert 4.5 < found.interval.low < 9.0 < found.interval.high < 13.5
    assert compare_runs(b, a).estimates["sdi", "psnr"].value == pytest.approx(-9.0)
    unchanged = estimates["sds", "psnr"]
    assert (unchanged.value, unchanged.interval.reason) == (0.0, "all values are the same")
    assert estimates["sdi", "ssim"].value == 0.0


def test_scaled_columns_are_in_the_printed_unit(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    columns = pd.read_parquet(a.folder / "metric_columns.parquet").set_index("metric")
    scale = columns.loc["iou", "scale"]
    assert scale == 100
    change_scores(b, lambda frame: frame.assign(value=frame["value"] + 0.01 * (frame["metric"] == "iou")))
    assert compare_runs(a, b).estimates["sds", "iou"].value == pytest.approx(1.0)


def test_cost_and_divergence_have_columns(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair

    def slower(fields: dict) -> None:
        fields["seconds"]["optimise"] *= 2.0

    change_records(b, slower)
    change_records(b, lambda fields: fields.update(status="empty"), f"sdi--{PROMPTS[0]}--s*")
    change_records(b, lambda fields: fields.update(status="crashed"), f"sdi--{PROMPTS[1]}--s*")
    estimates = compare_runs(a, b).estimates
    assert estimates["sdi", "optimise_seconds"].value == pytest.approx(2.0)
    assert estimates["sdi", "optimise_seconds"].n == 5
    assert estimates["sds", "optimise_seconds"].value == pytest.approx(1.0)
    assert estimates["sdi", "diverged"].value == pytest.approx(100 / 6)  # the crashed prompt says nothing
    assert estimates["sdi", "psnr"].n == 5


def test_the_table_says_what_it_is_of(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    change_scores(b, shifted)
    lines = compare_runs(a, b).markdown.splitlines()
    assert re.fullmatch(r"\*\*.*b − .*run\*\*", lines[0])
    assert [line.split()[1] for line in lines[4:6]] == ["sds", "sdi"]  # the study's order
    row = next(line for line in lines if line.startswith("| sdi |"))
    assert re.search(r"\+9\.00 \\\[\+\d+\.\d\d, \+\d+\.\d\d\\\] \(7\)", row)
    assert "0.00 (7; cannot tell)" in next(line for line in lines if line.startswith("| sds |"))
    assert "Cannot tell: all values are the same." in lines[-1]


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
    change_scores(b, shifted)
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
    change_scores(store, lambda frame: frame.assign(cell=frame["cell"].map(identities)))


def test_a_run_of_older_code_is_compared_with_a_newer_one(pair: tuple[RunStore, RunStore]) -> None:
    """What the gate is for: the cells' identities differ, their places in the study do not."""
    a, b = pair
    change_scores(b, shifted)
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


def test_a_folder_without_its_record_is_not_passed_over(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    (b.record_folders()[0] / "record.json").unlink()
    with pytest.raises(InputError, match=r"record\.json"):
        compare_runs(a, b)


def test_settings_of_methods_that_are_not_compared_are_not_told(
    pair: tuple[RunStore, RunStore], tmp_path: Path
) -> None:
    b = pair[1]
    a = RunStore(Path(shutil.copytree(b.folder, tmp_path / "a")))
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


def test_arms_of_other_code_or_settings_are_named_in_the_caption(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    assert "between A and B" not in compare_runs(a, b).markdown
    change_records(b, lambda fields: fields.update(method_sha256="f" * 64))
    markdown = compare_runs(a, b).markdown
    assert "The code of sdi differs between A and B." in markdown
    assert "The settings of" not in markdown
    change_records(b, lambda fields: fields.update(method_sha256=None))  # an older record, which does not know it
    assert "between A and B" not in compare_runs(a, b).markdown
    _reidentify(b, lambda record: {"hyper_parameters": record.cell.hyper_parameters | {"guidance_scale": 9.0}})
    assert "The settings of sds and sdi differ between A and B." in compare_runs(a, b).markdown


def test_a_run_whose_cells_all_failed_is_compared(pair: tuple[RunStore, RunStore]) -> None:
    a, b = pair
    change_records(b, lambda fields: fields.update(status="crashed"), "*")
    comparison = compare_runs(a, b)
    assert comparison.estimates["sds", "psnr"].value is None
    assert f"sds: 14 of the cells that completed in A failed in {b.folder}." in comparison.markdown.replace("\\", "")
