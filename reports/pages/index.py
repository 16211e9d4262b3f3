"""The page of the study: headline, tables, figures, all prompts at a glance, coverage and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pandas as pd

from reports.frames import ReportFrames
from reports.pages.coverage import coverage
from reports.pages.exhibits import PromptExhibits
from reports.pages.figure import Plate
from reports.pages.leaders import leaders
from reports.pages.ledger import Ledger
from reports.render import FORMATS, html
from reports.table import Table
from reports.templates import page

SCRIPTS = ("tables.js", "filter.js")

#: A heading each, and its labels and texts.
Cards = Sequence[tuple[str, Sequence[tuple[str, str]]]]


#: Values of a card's fields that say nothing.
_EMPTY: tuple[object, ...] = (None, "", [], {}, False)


def index_page(
    frames: ReportFrames,
    prompts: Sequence[PromptExhibits],
    tables: Sequence[Table],
    plates: Sequence[Plate],
    *,
    title: str,
    notes: Sequence[str],
    provenance: Mapping[str, str],
    method_cards: Cards = (),
    grid_size: tuple[int, int] = (0, 0),
) -> str:
    """The page as HTML.

    Args:
        frames: What the study measured.
        prompts: The rows of the prompts' own pages.
        tables: Shown in this order; the first openly, the others folded.
        plates: Figures, in this order.
        title: Heading.
        notes: Sentences set at the top.
        provenance: Further facts for the end.
        method_cards: Title of each method and the facts of its card.
        grid_size: Width and height of the image of all methods, pixels.
    """
    ledger = Ledger(frames, prompts, root="")
    status = frames.cells["status"]
    return page(
        "index.html.j2",
        scripts=SCRIPTS,
        ledger=ledger.content,
        title=title,
        notes=notes,
        leaders=list(leaders(tables[0])) if tables else [],
        tables=[(table, html.live(table, ledger.places)) for table in tables],
        formats=list(FORMATS),
        methods=frames.methods,
        counts={"cells": len(status), "completed": int((status == "completed").sum())},
        prompts=prompts,
        plates=plates,
        coverage=coverage(frames),
        failures=[
            (prompt, exhibit) for prompt in prompts for exhibit in prompt.exhibits if exhibit.status != "completed"
        ],
        cards=_cards(frames),
        method_cards=method_cards,
        grid_size=grid_size,
        provenance={**_provenance(frames.cells), **provenance},
    )


def _provenance(cells: pd.DataFrame) -> dict[str, str]:
    code = [
        f"{commit}{' with uncommitted changes' if dirty else ''}"
        for commit, dirty in zip(cells["git_commit"], cells["git_dirty"], strict=True)
    ]
    return {
        "code": ", ".join(dict.fromkeys(code)),
        "device": ", ".join(dict.fromkeys(map(str, cells["device"]))),
        "seeds": ", ".join(map(str, sorted(set(cells["seed"])))),
    }


def _cards(frames: ReportFrames) -> list[tuple[str, dict[str, str]]]:
    """Metric cards, each once with the titles of the columns that it stands for."""
    titles: dict[str, list[str]] = {}
    for title, card in zip(frames.metric_columns["title"], frames.metric_columns["card"], strict=True):
        if isinstance(card, str) and card:
            titles.setdefault(card, []).append(str(title))
    return [
        (
            ", ".join(columns),
            {
                key: str(value)
                for key, value in json.loads(card).items()
                if key != "columns" and value not in (None, "", [], {}, False)
            },
        )
        for card, columns in titles.items()
    ]
