"""Everything a report consists of, as files in one folder."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

from reports.figures.drawing import Drawing, draw
from reports.figures.standard import StandardFigure, standard_figures
from reports.frames import ReportError, ReportFrames
from reports.grid import grid
from reports.means import asset_means
from reports.pages.album import Put, write_album
from reports.pages.exhibits import PromptExhibits, prompt_exhibits
from reports.pages.figure import Drawable, write_plate
from reports.pages.index import Cards, index_page
from reports.pages.meshes import write_meshes
from reports.pages.prompt import prompt_page
from reports.render import FORMATS
from reports.table import Table
from reports.tables import Reproduction, all_tables

#: The folders that are the report's own.
_PARTS: Final = ("figures", "meshes", "pictures", "prompts", "tables", "thumbnails", "turntables")


class Report(NamedTuple):
    """What was written."""

    page: Path  # index.html
    tables: list[Table]  # the first is the one to read first


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
    method_cards: Cards = (),
) -> Report:
    """Write the report of a study into ``folder``; same frames, same bytes.

    Args:
        frames: What the study measured.
        folder: Made if it is not there; see ``write_pages``.
        title: Heading of the page.
        notes: Sentences that the page and the caption of every table must carry (whose scorers these are).
        baseline: Label of the arm that others are compared with.
        drawings: Figures that the study asks for, in addition to those that every study gets.
        reproduction: Published tables to show next to the results.
        provenance: Further facts for the page's end, such as packages and threads.
        method_cards: Title of each method and the facts of its card, for the page.

    Raises:
        ReportError: If the baseline is not an arm of the study, there is no such published table, or a picture or
            mesh cannot be read.
    """
    if baseline not in frames.methods:
        raise ReportError(f"baseline: {baseline!r} is not a method of the study: {', '.join(frames.methods)}")
    figures = [StandardFigure(d.name, d.title, d.caption, partial(draw, frames, d)) for d in drawings]
    tables = list(all_tables(frames, notes, baseline=baseline, reproduction=reproduction))
    page = write_pages(
        frames,
        folder,
        tables=tables,
        figures=[*figures, *standard_figures(frames, baseline=baseline)],
        title=title,
        notes=notes,
        provenance=provenance or {},
        method_cards=method_cards,
    )
    return Report(page, tables)


def write_pages(
    frames: ReportFrames,
    folder: Path,
    *,
    tables: Sequence[Table],
    figures: Sequence[Drawable],
    title: str,
    notes: Sequence[str],
    provenance: Mapping[str, str],
    method_cards: Cards = (),
) -> Path:
    """Write pages, tables, figures and pictures into ``folder``, which then needs nothing outside it and no network.

    All files are made before the first is put there, so that an error leaves an earlier report as it was.  The parts
    of an earlier report (``index.html``, ``prompts``, ``tables`` …) are replaced whole; other files stay.

    Returns:
        Path of ``index.html``.

    Raises:
        ReportError: If a picture or mesh cannot be read.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-report-", dir=folder.parent) as temporary:
        put = partial(_put, Path(temporary))
        for table in tables:
            for suffix, render in FORMATS.items():
                put(f"tables/{table.name}.{suffix}", _encoded(render(table)))
        plates = [write_plate(figure, put) for figure in figures]
        prompts = prompt_exhibits(frames, write_album(frames, put))
        image = grid(frames)
        index = index_page(
            frames,
            prompts,
            tables,
            plates,
            title=title,
            notes=notes,
            provenance=provenance,
            method_cards=method_cards,
            grid_size=image.size,
        )
        put("index.html", _encoded(index))
        _write_prompts(frames, prompts, title, put)
        picture = io.BytesIO()
        image.save(picture, format="png")
        put("pictures/grid.png", picture.getvalue())
        _replace(Path(temporary), folder)
    return folder / "index.html"


def _write_prompts(frames: ReportFrames, prompts: Sequence[PromptExhibits], title: str, put: Put) -> None:
    keys = ["method", "prompt_id", "seed"]
    means = asset_means(frames).merge(frames.cells[["cell", *keys]], on=keys)
    views = write_meshes(frames, prompts, put)
    by_prompt: dict[str, pd.DataFrame] = {str(key): rows for key, rows in means.groupby("prompt_id", sort=False)}
    for place, prompt in enumerate(prompts):
        own = by_prompt.get(prompt.prompt_id, means.iloc[:0])
        text = prompt_page(frames, prompts, place, own, views.get(prompt.prompt_id), title=title)
        put(prompt.page, _encoded(text))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # half a surrogate pair, which JSON may hold, is no text


def _put(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _replace(new: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for part in _PARTS:
        if (folder / part).is_dir():
            shutil.rmtree(folder / part)
    for made in sorted(new.iterdir()):
        made.replace(folder / made.name)
