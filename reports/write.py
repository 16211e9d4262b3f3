"""All files of a report, in one folder."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd
from filelock import FileLock

from reports.figures.drawing.style import Draw
from reports.figures.spec import FigureSpec, explained, make_or_explain
from reports.figures.standard import standard_figures
from reports.frames import ReportError, ReportFrames
from reports.grid import draw_grid
from reports.means import asset_means
from reports.pages.cell_rows import PromptRows, prompt_rows
from reports.pages.extra_faces import write_extra_faces
from reports.pages.figure_files import write_figure
from reports.pages.images import Put, write_images
from reports.pages.index import Cards, index_page
from reports.pages.meshes import write_meshes
from reports.pages.prompt import prompt_page
from reports.render import FORMATS
from reports.report_data import ReportData
from reports.sums import FOLDERS, SUMS_FILE, list_sums
from reports.table import Table


class ReportFiles(NamedTuple):
    """The result of writing a report."""

    page: Path  # index.html
    tables: list[Table]  # the first is the main one


def write_report(
    data: ReportData,
    folder: Path,
    *,
    figures: Sequence[FigureSpec] = (),
    provenance: Mapping[str, str] | None = None,
    cards: Cards = (),
) -> ReportFiles:
    """Write the report of a study to ``folder``; the same data give the same bytes.

    Args:
        data: The study's results, and what is to be said of them.
        folder: Created if it is missing; see ``write_pages``.
        figures: Figures that the study asks for, in addition to the standard ones.
        provenance: Further facts for the page's end, such as packages and threads.
        cards: Cards of methods and metrics for the page, each with a heading.

    Raises:
        ReportError: If a baseline is not an arm of the study, a claim names an unknown arm or score, a published
            table is unknown, two figures have one name, or an image or mesh cannot be read.
    """
    frames, baseline = data.frames, data.baseline
    if baseline not in frames.methods:
        raise ReportError(f"baseline: {baseline!r} is not a method of the study: {', '.join(frames.methods)}")
    tables = data.tables()
    page = write_pages(
        frames,
        folder,
        tables=tables,
        figures=[
            *((explained(spec), make_or_explain(frames, spec)) for spec in figures),
            *standard_figures(frames, baseline=baseline, own_baselines=data.own_baselines),
        ],
        title=data.title,
        notes=data.notes,
        provenance=provenance or {},
        cards=cards,
        data=data.files(),
    )
    return ReportFiles(page, tables)


def write_pages(
    frames: ReportFrames,
    folder: Path,
    *,
    tables: Sequence[Table],
    figures: Sequence[tuple[FigureSpec, Draw]],
    title: str,
    notes: Sequence[str],
    provenance: Mapping[str, str],
    cards: Cards = (),
    data: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write pages, tables, figures and images to ``folder``, which then needs no other file and no network.

    All files are made before the first one is moved there, so that an error leaves an earlier report unchanged.
    ``index.html``, the checksums and the folders of an earlier report are replaced; other files remain.  Of two
    processes that write at once, one waits for the other to have replaced them all.

    Args:
        frames: The study's results.
        folder: Created if it is missing.
        tables: Tables, the main one first.
        figures: Figures with the functions that draw them.
        title: Heading of the page.
        notes: Sentences for the page.
        provenance: Further facts for the page's end.
        cards: Cards of methods and metrics, each with a heading.
        data: Content of the files in ``data``, by name.

    Returns:
        Path of ``index.html``.

    Raises:
        ReportError: If an image or mesh cannot be read, or two figures have one name.
    """
    names = [spec.name for spec, _ in figures]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ReportError(f"figures: two are called {twice!r}, which is the name of their files; give one another name")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-report-", dir=folder.parent) as temporary:
        put = partial(_put, Path(temporary))
        for table in tables:
            for suffix, render in FORMATS.items():
                put(f"tables/{table.name}.{suffix}", _encode(render(table)))
        for name, text in data.items():
            put(f"data/{name}", _encode(text))
        written = [write_figure(spec, draw, put) for spec, draw in figures]
        prompts = prompt_rows(frames, write_images(frames, put))
        grid = draw_grid(frames)
        index = index_page(
            frames,
            prompts,
            tables,
            written,
            title=title,
            notes=notes,
            provenance=provenance,
            cards=cards,
            extra_faces=write_extra_faces(frames, prompts, put),
            data=[name for name in data if name in ("cells.csv", "controls.csv")],
        )
        put("index.html", _encode(index))
        _write_prompts(frames, prompts, title, put)
        png = io.BytesIO()
        grid.save(png, format="png")
        put("images/grid.png", png.getvalue())
        put(SUMS_FILE, _encode(list_sums(Path(temporary))))
        _replace(Path(temporary), folder)
    return folder / "index.html"


def _write_prompts(frames: ReportFrames, prompts: Sequence[PromptRows], title: str, put: Put) -> None:
    keys = ["method", "prompt_id", "seed"]
    means = asset_means(frames).merge(frames.cells[["cell", *keys]], on=keys)
    views = write_meshes(frames, prompts, put)
    by_prompt: dict[str, pd.DataFrame] = {str(key): rows for key, rows in means.groupby("prompt_id", sort=False)}
    for place, prompt in enumerate(prompts):
        own = by_prompt.get(prompt.prompt_id, means.iloc[:0])
        text = prompt_page(frames, prompts, place, own, views.get(prompt.prompt_id), title=title)
        put(prompt.page, _encode(text))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # JSON may contain half a surrogate pair


def _put(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _replace(new: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with _held(folder):
        for name in FOLDERS:
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
        for made in sorted(new.iterdir()):
            made.replace(folder / made.name)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Wait until no other process replaces the files of a folder, and keep others waiting in the block.

    The lock is the operating system's and ends with the process; a file system without locks has none.
    """
    lock = FileLock(folder.with_name(f".{folder.name}.lock"), fallback_to_soft=False)
    with suppress(OSError):  # of that file system; two reports at once are rare
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
