"""Counts of cells by method and status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports.frames import DIVERGED, FAILED, STATUSES, ReportFrames

NOT_RUN = "not run"
#: Kind of each status, which is its class in the style sheet.
_KINDS = {
    "completed": "completed",
    NOT_RUN: "missing",
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
    """Return each method's shares of cells, in the order of ``STATUSES``, then those that were not run."""
    expected = len(frames.prompts) * frames.cells["seed"].nunique()
    return [(method, list(_shares(frames, method, expected))) for method in frames.methods]


def _shares(frames: ReportFrames, method: str, expected: int) -> Iterator[StatusShare]:
    status = frames.cells.loc[frames.cells["method"] == method, "status"]
    counts = {name: int((status == name).sum()) for name in STATUSES}
    counts[NOT_RUN] = max(0, expected - len(status))
    done, total = 0, sum(counts.values())
    for name, count in counts.items():
        if count:
            yield StatusShare(name, count, done / total, count / total, _KINDS[name])
        done += count
