from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from bench.commands.score import score_study
from bench.records.record import Record, RecordedView, Snapshot
from bench.records.store import RunStore
from bench.scores.frames import build_frames
from bench.scores.view_set import snapshot_views
from bench.study.expand import expand
from bench.study.study import Study
from metrics.ground_truth import GroundTruth
from reports.frames import SNAPSHOTS


@pytest.fixture
def with_snapshots(study: Study, finished: RunStore) -> Record:
    """The first record, with its second and third view halfway and in black a quarter of the way."""
    record = finished.read(expand(study)[0])
    assert record is not None
    folder = finished.cell_folder(record.cell)
    snapshots = []
    for step, brightness in ((1, 0), (2, 1)):
        views = []
        for view in record.views[1:]:
            files = {}
            for kind in ("rgb", "opacity"):
                files[kind] = f"snapshots/{step}/{Path(getattr(view, kind)).name}"
                (folder / files[kind]).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(brightness * np.asarray(Image.open(folder / getattr(view, kind)))).save(
                    folder / files[kind]
                )
            views.append(RecordedView(azimuth_deg=view.azimuth_deg, **files))
        snapshots.append(Snapshot(step=step, seconds=step / 10, views=tuple(views)))
    sizes = {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.glob("snapshots/*/*.png"))
    }
    changed = record.model_copy(update={"snapshots": tuple(snapshots), "file_bytes": record.file_bytes | sizes})
    (folder / "record.json").write_text(changed.model_dump_json())
    return changed


def test_snapshots_are_scored_as_views_are(
    study: Study, finished: RunStore, with_snapshots: Record, console: Console
) -> None:
    scores = score_study(study, finished, console)
    frame = pd.read_parquet(finished.folder / "snapshots.parquet")
    assert list(frame) == list(SNAPSHOTS)
    assert set(frame["cell"]) == {with_snapshots.identity}
    assert frame.groupby(["step", "seconds", "view"]).size().to_dict() == {
        (1, 0.1, 0): 6, (1, 0.1, 1): 6, (2, 0.2, 0): 6, (2, 0.2, 1): 6,
    }  # fmt: skip
    # the second snapshot has the images of the last two views, so their silhouettes
    last = scores[(scores["cell"] == with_snapshots.identity) & (scores["view"] > 0)]
    [silhouettes, halfway] = (
        rows[rows["metric"] == "iou"]["value"].to_list() for rows in (last, frame[frame.step == 2])
    )
    assert halfway == silhouettes
    assert (frame[(frame.step == 1) & (frame.metric == "iou")]["value"] == 0).all()
    records = finished.read_all(expand(study))
    frames = build_frames(records, study.chosen_prompts(), finished)
    pd.testing.assert_frame_equal(frames.snapshots, frame, check_dtype=False)
    assert build_frames(records[1:], study.chosen_prompts(), finished).snapshots.empty


def test_a_snapshot_is_scored_once(
    study: Study, finished: RunStore, with_snapshots: Record, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_study(study, finished, console)
    before = pd.read_parquet(finished.folder / "snapshots.parquet")
    monkeypatch.setattr(GroundTruth, "score", lambda *_: pytest.fail("scored again"))
    score_study(study, finished, console)
    pd.testing.assert_frame_equal(pd.read_parquet(finished.folder / "snapshots.parquet"), before)


def test_views_are_compared_with_the_truth_from_their_own_side(
    study: Study, finished: RunStore, with_snapshots: Record
) -> None:
    prompt = study.chosen_prompts()[0]
    views = snapshot_views(with_snapshots, with_snapshots.snapshots[1], prompt, finished).read()
    assert views.azimuth_deg.tolist() == [120.0, -120.0]
    for truth in views.truths:
        assert len(truth.rgb) == 3
        np.testing.assert_array_equal(truth.seen_from(views.azimuth_deg).rgb, truth.rgb[1:])
