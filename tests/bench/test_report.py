from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.errors import InputError
from bench.expand import expand
from bench.report import FINE_POINTS, cell_meshes, report_study
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

    monkeypatch.setitem(sys.modules, "bench.export", SimpleNamespace(export_mesh=export_mesh))
    records = [record for cell in expand(study) if (record := finished.read(cell))]
    found = cell_meshes(records, finished)
    assert len(asked) == 4
    assert len(found) == 3
    assert all(Path(path).parent == finished.folder / "meshes" for path in found.values())
    assert cell_meshes(records, finished) == found
    assert len(asked) == 5  # the one without a surface alone
