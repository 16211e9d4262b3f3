from __future__ import annotations

from collections.abc import Callable

from reports.frames import ReportFrames
from reports.pages.cell_rows import prompt_rows
from reports.pages.extra_faces import COLUMN, write_extra_faces

FramesFactory = Callable[..., ReportFrames]


def _write(frames: ReportFrames) -> tuple[list, dict[str, bytes]]:
    files: dict[str, bytes] = {}
    return write_extra_faces(frames, prompt_rows(frames, {}), files.__setitem__), files


def test_every_view_that_counts_is_shown_with_its_method_and_no_other(make_frames: FramesFactory) -> None:
    frames = make_frames()
    found, files = _write(frames)
    assert [each.method for each in found] == frames.methods
    scores = frames.scores[frames.scores["metric"] == COLUMN]
    for each in found:
        own = scores[scores["method"] == each.method]
        assert each.judged == own["value"].notna().sum()
        assert len(each.views) == (own["value"] == 1).sum() > 0
        for view in each.views:
            assert view.image.thumbnail in files
            assert f"from {view.image.azimuth_deg:.0f}°" in view.alt
            assert view.link.startswith("prompts/")
            assert f"#{each.method}-0" in view.link
    assert len(files) == (scores["value"] == 1).sum()


def test_without_the_metric_there_is_nothing(make_frames: FramesFactory) -> None:
    frames = make_frames()
    without = frames.scores[frames.scores["metric"] != COLUMN]
    assert _write(ReportFrames(**{**frames.__dict__, "scores": without})) == ([], {})


def test_a_method_without_one_says_so(make_frames: FramesFactory) -> None:
    frames = make_frames()
    scores = frames.scores.copy()
    own = (scores["method"] == "sds") & (scores["metric"] == COLUMN) & scores["value"].notna()
    scores.loc[own, "value"] = 0.0
    found, _ = _write(ReportFrames(**{**frames.__dict__, "scores": scores}))
    assert (found[0].judged, found[0].views) == (own.sum(), ())
