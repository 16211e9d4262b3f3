"""Everything a report consists of, as files in one folder."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from reports.figures.curves import curves
from reports.figures.drawing import Drawing, draw
from reports.figures.style import DARK, LIGHT, svg
from reports.frames import ReportError, ReportFrames
from reports.gallery import Plate, page
from reports.grid import grid
from reports.render import FORMATS
from reports.table import Table
from reports.tables import Reproduction, all_tables


def write_report(
    frames: ReportFrames,
    folder: Path,
    *,
    title: str,
    notes: Sequence[str],
    baseline: str,
    drawings: Sequence[Drawing] = (),
    reproduction: Reproduction | None = None,
    provenance: Mapping[str, str] | None = None,
) -> Path:
    """Write ``index.html``, ``tables/``, ``figures/`` and ``pictures/`` into ``folder``; same frames, same bytes.

    Args:
        frames: What the study measured.
        folder: Made if it is not there; files of an earlier report are overwritten, and its tables removed.
        title: Heading of the page.
        notes: Sentences that the page and the caption of every table must carry (whose scorers these are).
        baseline: Label of the arm that others are compared with.
        drawings: Figures that the study asks for, beside the curves that every study gets.
        reproduction: Published tables to set beside the results.
        provenance: Further facts for the page's end, such as packages and threads.

    Returns:
        Path of ``index.html``, which needs no other file and no network.

    Raises:
        ReportError: If the baseline is not an arm of the study, there is no such published table, or a picture cannot
            be read.
    """
    if baseline not in frames.methods:
        raise ReportError(f"baseline: {baseline!r} is not a method of the study: {', '.join(frames.methods)}")
    tables = all_tables(frames, notes, baseline=baseline, reproduction=reproduction)
    files = _files(frames, tables, title=title, notes=notes, drawings=drawings, provenance=provenance or {})
    for stale in set(folder.glob("tables/*")) - {folder / name for name in files}:  # which tables there are may change
        stale.unlink()
    for name, content in files.items():  # all made before the first is written: a bad picture leaves no half report
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".partial-{path.name}")  # a reader sees the old file or the new, never half of it
        partial.write_bytes(content)
        partial.replace(path)
    return folder / "index.html"


def _files(
    frames: ReportFrames,
    tables: Sequence[Table],
    *,
    title: str,
    notes: Sequence[str],
    drawings: Sequence[Drawing],
    provenance: Mapping[str, str],
) -> dict[str, bytes]:
    picture = io.BytesIO()
    grid(frames).save(picture, format="png", optimize=True)
    drawing = partial(curves, frames)
    light, dark = svg(drawing, LIGHT), svg(drawing, DARK)
    plates = []
    for wanted in drawings:
        drawn = partial(draw, frames, wanted)
        plates.append(Plate(wanted, svg(drawn, LIGHT), svg(drawn, DARK)))
    html = page(frames, tables, (light, dark), plates, title=title, notes=notes, provenance=provenance)
    written = {
        f"tables/{table.name}.{suffix}": render(table).encode()
        for table in tables
        for suffix, render in FORMATS.items()
    }
    return written | {
        "figures/curves.svg": light,
        **{f"figures/{plate.drawing.name}.svg": plate.light for plate in plates},
        "pictures/grid.png": picture.getvalue(),
        "index.html": html.encode(),
    }
