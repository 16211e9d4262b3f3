"""Studies in which nothing completed, and the smallest one: every table, figure and page of a report."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from reports import FigureSpec, ReportData, write_report
from reports.figures.drawing.style import LIGHT
from reports.figures.spec import KINDS, make_or_explain
from reports.frames import ReportFrames
from reports.render import FORMATS
from reports.tables import all_tables

PROMPTS = {"car": "a red car", "duck": "a blue duck"}
#: The numbers in the labels are the settings ``size.value``.
METHODS = ("sds-16", "sdi-32")
NO_ROWS = ("scores", "snapshots", "controls")
METRICS = ("clip_score", "quality", "psnr")


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """No rows, with the columns' types, as a run's tables have them."""
    return frame.iloc[:0].astype(
        {name: "category" for name in ("cell", "method", "prompt_id", "metric") if name in frame}
    )


def _untyped(frame: pd.DataFrame) -> pd.DataFrame:
    """No rows and no types."""
    return pd.DataFrame(columns=list(frame.columns))


def _nothing(
    frames: ReportFrames, names: tuple[str, ...], empty: Callable[[pd.DataFrame], pd.DataFrame]
) -> ReportFrames:
    return dataclasses.replace(frames, **{name: empty(getattr(frames, name)) for name in names})


@pytest.fixture(scope="module")
def cases(make_frames: Callable[..., ReportFrames]) -> dict[str, ReportFrames]:
    """Frames by name."""
    cells = [(method, prompt) for method in METHODS for prompt in PROMPTS]
    all_of = {"methods": METHODS, "prompts": PROMPTS, "views": 2, "snapshots": True, "controls": True}
    diverged = make_frames(statuses=dict.fromkeys(cells, "nan"), **all_of)
    mixed = dict(zip(cells, ("oom", "crashed", "timeout", "frozen"), strict=True))
    failed = make_frames(statuses=mixed, **all_of)
    alone = {"methods": ("sds-16",), "prompts": {"car": "a red car"}, "views": 1, "side": 4}
    lost = make_frames(statuses={("sds-16", "car"): "crashed"}, **alone)
    return {
        "diverged": _nothing(diverged, ("scores", "snapshots"), _typed),  # with images, events and controls
        "failed": _nothing(failed, (*NO_ROWS, "events", "views"), _typed),  # before the first step
        "untyped": _nothing(failed, (*NO_ROWS, "events", "views"), _untyped),
        "one": make_frames(**alone),
        "one-failed": _nothing(lost, (*NO_ROWS, "events", "views"), _typed),
    }


CASES = ("diverged", "failed", "untyped", "one", "one-failed")


@pytest.mark.parametrize("case", CASES)
def test_every_table(cases: dict[str, ReportFrames], case: str, golden: Callable[[str, str], None]) -> None:
    tables = all_tables(cases[case], ["Toy scorers."], baseline="sds-16")
    for suffix, render in FORMATS.items():
        texts = [render(table) for table in tables]
        assert all(texts)
        assert not re.search(r"\b(inf|None|NaN)\b", "".join(texts)), suffix
        if suffix == "md":
            golden(f"reports/nothing/tables-{'failed' if case == 'untyped' else case}.md", "\n".join(texts))


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_figure(cases: dict[str, ReportFrames], case: str, golden: Callable[[str, str], None]) -> None:
    lines = []
    for kind in KINDS:
        spec = FigureSpec(kind, kind, kind, metrics=METRICS, x="size.value", x_label="size", baseline="sds-16")
        figure = make_or_explain(cases[case], spec)(LIGHT)
        figure.draw_without_rendering()
        texts = [text.get_text() for text in figure.texts]
        drawn = [axis for axis in figure.axes if axis.get_visible() and (axis.lines or axis.patches)]
        lines.append(f"{kind}: {len(drawn)} panels{''.join(f'; {text}' for text in texts)}")
        assert bool(drawn) != any(text.startswith("Nothing to draw") for text in texts), kind
    golden(f"reports/nothing/figures-{'failed' if case == 'untyped' else case}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("blank_figures")  # drawn above
def test_every_page(
    cases: dict[str, ReportFrames], case: str, golden: Callable[[str, str], None], tmp_path: Path
) -> None:
    data = ReportData(cases[case], "Toy", "sds-16", notes=["Toy scorers."])
    files = write_report(data, tmp_path / "report")
    pages = [files.page, *sorted(files.page.parent.glob("prompts/*.html"))]
    words = "\n\n".join(f"== {page.name}\n{_words(page.read_text(encoding='utf-8'))}" for page in pages)
    golden(f"reports/nothing/pages-{'failed' if case == 'untyped' else case}.txt", words + "\n")
    again = write_report(data, tmp_path / "again")
    assert again.page.read_bytes() == files.page.read_bytes()


def _words(page: str) -> str:
    """What a reader sees of a page, a line for each element."""
    page = re.sub(r"<(style|script|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
    lines = [" ".join(unescape(part).split()) for part in re.split(r"<[^>]*>", page)]
    return "\n".join(line for line in lines if line)
