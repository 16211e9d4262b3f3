"""What became of the cells: counts by method, for all to see before any mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports.frames import DIVERGED, STATUSES, ReportFrames

NOT_RUN = "not run"


@dataclass(frozen=True)
class Share:
    """The cells of a method that ended in one way."""

    status: str
    count: int
    start: float  # of its part of the bar, in [0, 1]
    width: float
    kind: str  # completed, diverged, failed or missing


def coverage(frames: ReportFrames) -> list[tuple[str, list[Share]]]:
    """For each method the shares of its cells, in the order of ``STATUSES`` and then those that were not run."""
    expected = len(frames.prompts) * frames.cells["seed"].nunique()
    return [(method, list(_shares(frames, method, expected))) for method in frames.methods]


def _shares(frames: ReportFrames, method: str, expected: int) -> Iterator[Share]:
    status = frames.cells.loc[frames.cells["method"] == method, "status"]
    counts = {name: int((status == name).sum()) for name in STATUSES}
    counts[NOT_RUN] = max(0, expected - len(status))
    done, total = 0, sum(counts.values())
    for name, count in counts.items():
        if count:
            yield Share(name, count, done / total, count / total, _kind(name))
        done += count


def _kind(status: str) -> str:
    if status in ("completed", NOT_RUN):
        return {"completed": "completed", NOT_RUN: "missing"}[status]
    return "diverged" if status in DIVERGED else "failed"
