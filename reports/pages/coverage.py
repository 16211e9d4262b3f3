"""Counts of cells by method and status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports.frames import DIVERGED, FAILED, STATUSES, ReportFrames
from reports.gaps import Gaps

NOT_RUN = "not run"
WITHOUT_RENDERS = "without renders"  # prompts of an imported arm
#: Kind of each status, which is its class in the style sheet.
_KINDS = {
    "completed": "completed",
    NOT_RUN: "missing",
    WITHOUT_RENDERS: "missing",
    **dict.fromkeys(DIVERGED, "diverged"),
    **dict.fromkeys(FAILED, "failed"),
}


@dataclass(frozen=True)
class StatusShare:
    """The cells of a method with one status."""

    status: str
    count: int
    start: float  # start of its part of the bar, in [0, 1]
    width: float
    kind: str  # completed, diverged, failed or missing


def coverage(frames: ReportFrames) -> list[tuple[str, list[StatusShare]]]:
    """Return each method's shares of cells, in the order of ``STATUSES``, then what is missing of it."""
    gaps = Gaps.of(frames)
    return [(method, list(_shares(frames, method, gaps))) for method in frames.methods]


def _shares(frames: ReportFrames, method: str, gaps: Gaps) -> Iterator[StatusShare]:
    status = frames.cells.loc[frames.cells["method"] == method, "status"]
    counts = {name: int((status == name).sum()) for name in STATUSES}
    counts[NOT_RUN] = sum(own == method for own, _, _ in gaps.not_run)
    counts[WITHOUT_RENDERS] = gaps.without_renders.get(method, 0)
    done, total = 0, sum(counts.values())
    for name, count in counts.items():
        if count:
            yield StatusShare(name, count, done / total, count / total, _KINDS[name])
        done += count
