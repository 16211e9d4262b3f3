from __future__ import annotations

from pathlib import Path

import pytest

from bench.commands.report import FINE_POINTS, cell_meshes, report_study
from bench.errors import InputError
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.settings import FigureSettings
from bench.study.study import Study
from reports import ReportError


def test_the_report_says_whose_scores_they_are_and_what_is_missing(study: Study, finished: RunStore) -> None:
    finished.set_aside(finished.cell_folder(expand(study)[3]))
    page = report_study(study, finished).page
    assert page == finished.folder / "report" / "index.html"
    table = (page.parent / "tables" / "summary.md").read_text()
    assert "cannot be compared with published ones" in table
    assert "1 of 4 cells have no record yet" in table
    assert study.key[:12] in page.read_text()


def test_completed_cells_without_scores_are_told(study: Study, finished: RunStore) -> None:
    import pandas as pd

    path = finished.folder / "scores.parquet"
    scores = pd.read_parquet(path)
    scores[scores["cell"] != expand(study)[0].identity].to_parquet(path)
    page = report_study(study, finished).page
    assert "1 completed cells are not scored yet" in (page.parent / "tables" / "summary.md").read_text()


def test_published_figures_stand_beside_results_of_the_same_models_only(study: Study, finished: RunStore) -> None:
    assert study.model_copy(update={"published": ("table1",)}).key == study.key
    page = report_study(study.model_copy(update={"published": ("table1",)}), finished).page
    assert (
        "Table 1 of the SDI paper is not set beside these results"
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
            raise InputError("no surface")
        out.write_bytes(b"glTF")
        assert resolution == FINE_POINTS
        return out

    monkeypatch.setattr("bench.commands.report.export_mesh", export_mesh)
    records = finished.read_all(expand(study))
    found = cell_meshes(records, finished)
    assert len(asked) == 4
    assert len(found) == 3
    assert all(Path(path).parent == finished.folder / "meshes" for path in found.values())
    assert cell_meshes(records, finished) == found
    assert len(asked) == 5  # the one without a surface alone


def test_a_figure_has_no_panels_of_metrics_that_the_study_is_not_scored_with(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {}
    monkeypatch.setattr("bench.commands.report.write_report", lambda *_, drawings, **__: given.update(drawn=drawings))
    figure = FigureSettings(name="arms", kind="arms", title="Arms", metrics=("clip_score", "psnr", "optimise_seconds"))
    report_study(study.model_copy(update={"figures": (figure,)}), finished)
    assert given["drawn"][0].metrics == ("psnr", "optimise_seconds")
    misspelt = figure.model_copy(update={"metrics": ("psnrr",)})
    report_study(study.model_copy(update={"figures": (misspelt,)}), finished)
    assert given["drawn"][0].metrics == ("psnrr",)  # for the report to refuse
