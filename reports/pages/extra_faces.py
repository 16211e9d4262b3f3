"""The views of backs that were counted as showing a face, by method, so that a reader can agree or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reports.frames import ReportFrames
from reports.images import encode_view
from reports.pages.cell_rows import PromptRows
from reports.pages.images import Put, ViewImage

#: The metric's column: 1 for a view of a back that shows a face, 0 for one that does not, NaN for all others.
COLUMN: Final = "extra_faces"


@dataclass(frozen=True)
class ExtraFace:
    """One view of a back that was counted as showing a face."""

    image: ViewImage
    alt: str  # text for readers who cannot see it
    link: str  # to its cell on the prompt's page, relative to the report's folder


@dataclass(frozen=True)
class ExtraFaces:
    """Those views of one method."""

    method: str
    judged: int  # views of backs that have a value
    views: tuple[ExtraFace, ...]


def write_extra_faces(frames: ReportFrames, prompts: Sequence[PromptRows], put: Put) -> list[ExtraFaces]:
    """Write small images of the views to ``thumbnails/extra-faces``; no methods if the metric was not scored.

    Raises:
        ReportError: If an image cannot be read.
    """
    scores = frames.scores[(frames.scores["metric"] == COLUMN) & frames.scores["value"].notna()]
    accused = scores[scores["value"] == 1].merge(frames.views[["cell", "view", "rgb_path"]], on=["cell", "view"])
    places = {row.cell: (prompt, row) for prompt in prompts for row in prompt.rows if row.cell}
    found: dict[str, list[ExtraFace]] = {}
    for view in accused.itertuples():
        prompt, row = places[str(view.cell)]
        azimuth = float(str(view.azimuth_deg))
        name = f"{prompt.page.removeprefix('prompts/').removesuffix('.html')}-{row.name}-{int(str(view.view)):03}.webp"
        path = f"thumbnails/extra-faces/{name}"
        put(path, encode_view(Path(str(view.rgb_path)))[0])
        alt = f"{row.alt}: from {azimuth:.0f}°"
        found.setdefault(str(view.method), []).append(
            ExtraFace(ViewImage(path, path, azimuth), alt, f"{prompt.page}#{row.name}")
        )
    judged = scores["method"].astype(str).value_counts()
    return [
        ExtraFaces(method, int(judged[method]), tuple(found.get(method, ())))
        for method in frames.methods
        if method in judged
    ]
