from __future__ import annotations

import json
from contextlib import nullcontext
from html import unescape
from pathlib import Path
from typing import get_args

import pytest

import bench.commands.report
from bench.cells.finished_scene import NoSceneHereError
from bench.commands.documented import plain
from bench.commands.list import describe
from bench.commands.report import cell_meshes, report_study
from bench.errors import InputError, StorageError
from bench.exports.mesh import NoMeshError
from bench.records.store import RunStore
from bench.study.cell import SCENE_FILE
from bench.study.expand import expand
from bench.study.figure_settings import FigureSettings
from bench.study.paper_claim import PaperClaim
from bench.study.study import Study
from methods.card import card_of
from methods.distillation import methods
from metrics import metrics
from reports import ReportError
from reports.figures.spec import KINDS


def test_the_report_says_whose_scores_they_are_and_what_is_missing(study: Study, finished: RunStore) -> None:
    finished.set_aside(finished.cell_folder(expand(study)[3]))
    page = report_study(study, finished).page
    assert page == finished.folder / "report" / "index.html"
    table = (page.parent / "tables" / "summary.md").read_text()
    assert "cannot be compared with published ones" in table
    assert "1 of 4 cells have no record yet" in table
    assert study.key[:12] in page.read_text()


def test_completed_cells_without_scores_are_counted(study: Study, finished: RunStore) -> None:
    import pandas as pd

    path = finished.folder / "scores.parquet"
    scores = pd.read_parquet(path)
    scores[scores["cell"] != expand(study)[0].identity].to_parquet(path)
    page = report_study(study, finished).page
    assert "1 completed cells are not scored yet" in (page.parent / "tables" / "summary.md").read_text()


def test_metrics_and_controls_that_were_added_since_are_named(study: Study, finished: RunStore) -> None:
    more = study.model_copy(update={"metrics": (*study.metrics, "detail", "faces"), "controls": ("blank",)})
    table = (report_study(more, finished).page.parent / "tables" / "summary.md").read_text()
    assert "There are no scores of the metrics detail and faces (sdibench score)." in table
    assert "There are no scores of the control blank (sdibench score)." in table


def test_scores_of_another_suite_are_not_printed_as_its_own(study: Study, finished: RunStore) -> None:
    with pytest.raises(InputError, match=r"scorers = 'sd21', but it is scored with toybox; give --scorers toybox, or"):
        report_study(study.model_copy(update={"scorers": "sd21"}), finished)


def test_published_numbers_are_shown_only_for_the_same_models(study: Study, finished: RunStore) -> None:
    assert study.model_copy(update={"published": ("table1",)}).key == study.key
    page = report_study(study.model_copy(update={"published": ("table1",)}), finished).page
    assert (
        "Table 1 of the SDI paper is not shown next to these results"
        in (page.parent / "tables" / "summary.md").read_text()
    )
    assert not (page.parent / "tables" / "published-table1.md").exists()
    with pytest.raises(ReportError, match="published = 'tabel1': no such table; did you mean 'table1'"):
        report_study(study.model_copy(update={"published": ("tabel1",)}), finished)


def test_nothing_to_report(study: Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no records of tiny yet; run it first"):
        report_study(study, RunStore(tmp_path / "run"))


def test_every_cell_that_has_a_surface_gets_a_mesh_once(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def export_mesh(record_folder: Path, out: Path, *, resolution: int) -> Path:
        asked.append(record_folder.name)
        if record_folder.name.startswith("sds--blue-duck"):
            raise NoMeshError("no surface")
        out.write_bytes(b"glTF" + (2).to_bytes(4, "little") + (12).to_bytes(4, "little"))
        assert resolution == bench.commands.report.FINE_POINTS
        return out

    monkeypatch.setattr("bench.commands.report.export_mesh", export_mesh)
    records = finished.read_all(expand(study))
    found = cell_meshes(records, finished)
    assert len(asked) == 4
    assert len(found) == 3
    assert all(Path(path).parent == finished.folder / "meshes" for path in found.values())
    assert cell_meshes(records, finished) == found
    assert len(asked) == 5  # the one without a surface alone


def test_a_damaged_scene_is_not_taken_for_one_without_a_surface(study: Study, finished: RunStore) -> None:
    records = finished.read_all(expand(study))
    path = finished.cell_folder(records[0].cell) / SCENE_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="corrupt record: SHA-256"):
        cell_meshes(records, finished)


@pytest.mark.parametrize(("error", "is_raised"), [(NoSceneHereError, False), (StorageError, True)])
def test_meshes_are_left_out_where_a_package_is_missing_and_not_where_the_disk_is_full(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch, error: type, is_raised: bool
) -> None:
    def export_mesh(*_: object, **__: object) -> Path:
        raise error("why")

    monkeypatch.setattr("bench.commands.report.export_mesh", export_mesh)
    records = finished.read_all(expand(study))
    with pytest.raises(error) if is_raised else nullcontext():
        assert cell_meshes(records, finished) == {}


def test_a_figure_has_no_panels_of_metrics_that_the_study_is_not_scored_with(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {}
    monkeypatch.setattr("bench.commands.report.write_report", lambda *_, figures, **__: given.update(drawn=figures))
    named = ("clip_score", "psnr", "optimise_seconds", "energy_joules")  # which nothing measures on a CPU
    figure = FigureSettings(name="arms", kind="arms", title="Arms", metrics=named)
    report_study(study.model_copy(update={"figures": (figure,)}), finished)
    assert given["drawn"][0].metrics == ("psnr", "optimise_seconds")
    misspelt = figure.model_copy(update={"metrics": ("psnrr",)})
    report_study(study.model_copy(update={"figures": (misspelt,)}), finished)
    assert given["drawn"][0].metrics == ("psnrr",)  # for the report to refuse


def test_arms_are_compared_with_their_own_baselines(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(
        "bench.commands.report.write_report", lambda data, *_, **__: given.update(own=data.own_baselines)
    )
    report_study(study, finished)
    assert given["own"] == {}
    report_study(study.model_copy(update={"more_baselines": {"sdi": ("a", "b"), "c": ("d",)}}), finished)
    assert given["own"] == {"a": "sdi", "b": "sdi", "d": "c"}


def test_the_papers_claims_about_scores_that_the_study_has_are_a_table(study: Study, finished: RunStore) -> None:
    claim = PaperClaim(paper="SDI", text="nearer to the truth", arm="sdi", against="sds", metric="psnr")
    claims = (claim, claim.model_copy(update={"metric": "clip_score"}))
    page = report_study(study.model_copy(update={"paper_claims": claims}), finished).page.read_text()
    assert "No claim about clip_score is tested: no metric of the study has such a column." in page
    [row] = json.loads((finished.folder / "report" / "tables" / "claims.json").read_text())["rows"]
    assert row["part"] == "SDI"
    misspelt = (claim.model_copy(update={"metric": "psnrr"}),)
    with pytest.raises(ReportError, match=r"claim 'nearer to the truth' of SDI: 'psnrr' is not one of the scores psnr"):
        report_study(study.model_copy(update={"paper_claims": misspelt}), finished)


def test_the_page_has_the_whole_cards_of_the_methods_and_metrics(study: Study, finished: RunStore) -> None:
    page = unescape(report_study(study, finished).page.read_text())
    for name in study.methods:
        card = card_of(name, methods[name])
        assert f"Method {name}: {card.title}" in page
        assert all(text in page for _, text in card.facts)
    for name in study.metrics:
        card = metrics[name](study.scorer_suite).card
        assert f"Metric {name}: {card.title}" in page
        assert all(text in page for _, text in card.facts)


def test_a_method_without_a_card_is_on_the_page_with_what_its_class_says(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.commands.report.card_of", lambda name, method: None)
    page = unescape(report_study(study, finished).page.read_text())
    for name in study.methods:
        assert f"<summary>Method {name}</summary>" in page
        assert plain(describe(methods[name])).split("\n")[0] in page


def test_the_page_has_the_hyper_parameters_of_the_arms(study: Study, finished: RunStore) -> None:
    page = unescape(report_study(study, finished).page.read_text())
    shown = page[page.index('id="table-arms"') : page.index("<summary>Method ")]
    for cell in expand(study):
        assert f">{cell.label}</th>" in shown
        assert all(name in shown for name in cell.hyper_parameters)


def test_the_page_says_which_prompts_were_cut(study: Study, finished: RunStore) -> None:
    whole = report_study(study, finished).page.read_text()
    assert "too long for the prior" not in whole
    for number, path in enumerate(sorted(finished.folder.glob("cells/*--blue-duck--*/record.json"))):
        record = json.loads(path.read_text())
        assert record["prompt_tokens_cut"] is None  # the closed-form prior has no limit
        path.write_text(json.dumps(record | {"prompt_tokens_cut": 3 + number}))
    page = unescape(report_study(study, finished).page.read_text())
    assert "1 of 2 prompts are too long for the prior's text encoder and lose up to 4 tokens at their end" in page


def test_cells_of_several_versions_of_a_method_are_named(study: Study, finished: RunStore) -> None:
    page = report_study(study, finished).page
    assert "several versions" not in page.read_text()
    path = finished.cell_folder(expand(study)[0]) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"method_sha256": "e" * 64}))
    line = "The cells of sds are of several versions of the method's code."
    assert line in (report_study(study, finished).page.parent / "tables" / "summary.md").read_text()


def test_arms_with_cells_of_several_backends_on_one_device_are_named(study: Study, finished: RunStore) -> None:
    def change(number: int, **fields: object) -> str:
        path = finished.cell_folder(expand(study)[number]) / "record.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"environment": record["environment"] | fields}))
        return (report_study(study, finished).page.parent / "tables" / "summary.md").read_text()

    change(0, device="a GPU", backends={"encoding": "triton", "marching": "nerfacc"})
    assert "times and memory" not in change(1, device="a GPU", backends={"encoding": "torch"})  # of the other arm
    text = change(2, device="a GPU", backends={"encoding": "torch", "marching": "nerfacc"})
    line = (
        "The cells of sds have their encoding in torch or triton on a GPU: times and memory of the one are not those "
        "of the other."
    )
    assert text.count("times and memory of the one") == 1
    assert line in text


def test_the_page_says_how_many_scenes_are_at_their_cap(study: Study, finished: RunStore) -> None:
    words = "cells ended with a scene at its cap, which could not grow any more"
    assert words not in report_study(study, finished).page.read_text()
    for path, reached in zip(sorted(finished.folder.glob("cells/*/record.json")), (1.0, 0.0, 1.0), strict=False):
        record = json.loads(path.read_text())
        assert "samples_per_ray" in record["diagnostics"]
        record["diagnostics"]["cap_reached"] = reached
        path.write_text(json.dumps(record))
    assert f"2 of 4 {words}" in report_study(study, finished).page.read_text()


def test_a_study_can_ask_for_kinds_of_figures_that_exist() -> None:
    asked = get_args(FigureSettings.model_fields["kind"].annotation)
    assert set(asked) <= set(KINDS)
    needed = {option for kind in asked for option in KINDS[kind].options}
    assert needed <= set(FigureSettings.model_fields)
