from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import InputError
from bench.expand import expand
from bench.report import report_study
from bench.settings import FigureSettings
from bench.store import RunStore
from bench.study import Study


def test_the_report_says_whose_scores_they_are_and_what_is_missing(study: Study, finished: RunStore) -> None:
    finished.set_aside(expand(study)[3])
    page = report_study(study, finished)
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
    page = report_study(study, finished)
    assert "1 completed cells are not scored yet" in (page.parent / "tables" / "summary.md").read_text()


def test_nothing_to_report(study: Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no records of tiny yet; run it first"):
        report_study(study, RunStore(tmp_path / "run"))


def test_a_figure_has_no_panels_of_metrics_that_the_study_is_not_scored_with(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {}
    monkeypatch.setattr("bench.report.write_report", lambda *_, drawings, **__: given.update(drawn=drawings))
    figure = FigureSettings(name="arms", kind="arms", title="Arms", metrics=("clip_score", "psnr", "optimise_seconds"))
    report_study(study.model_copy(update={"figures": (figure,)}), finished)
    assert given["drawn"][0].metrics == ("psnr", "optimise_seconds")
    misspelt = figure.model_copy(update={"metrics": ("psnrr",)})
    report_study(study.model_copy(update={"figures": (misspelt,)}), finished)
    assert given["drawn"][0].metrics == ("psnrr",)  # for the report to refuse
