"""Metric cards as footnotes, from which a column can be computed again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from reports.frames import ReportFrames
from reports.render.printed import better
from reports.table import Sentence, TableColumn

#: The facts of a metric's card that footnotes print.
CARD_FACTS: Final = ("checkpoint", "weights_sha256", "preprocessing", "version", "candidates")


def metric_footnotes(frames: ReportFrames, columns: Iterable[TableColumn]) -> tuple[Sentence, ...]:
    """Describe each metric of ``columns`` in a sentence: unit, direction, checkpoint, hash and preprocessing.

    Columns with the same card (CLIP-IQA's three) share a sentence; columns without a card have none.
    """
    cards = dict(zip(frames.metric_columns["metric"], frames.metric_columns["card"], strict=True))
    shown: dict[str, list[TableColumn]] = {}
    for column in columns:
        card = cards.get(column.key)
        if isinstance(card, str) and card:
            shown.setdefault(card, []).append(column)
    return tuple(_footnote(json.loads(card), columns) for card, columns in shown.items())


def _footnote(card: dict[str, object], columns: list[TableColumn]) -> Sentence:
    units = dict.fromkeys(", ".join(part for part in (c.unit, better(c)) if part) for c in columns)
    facts = [str(card["checkpoint"])] if card.get("checkpoint") else []
    facts += [f"weights SHA-256 {str(card['weights_sha256'])[:12]}"] if card.get("weights_sha256") else []
    facts += [str(card["preprocessing"])] if card.get("preprocessing") else []
    facts += [f"version {card['version']}"] if card.get("version") else []
    facts += [_chance(card["candidates"])] if isinstance(card.get("candidates"), int) else []
    text = f"{', '.join(c.title for c in columns)} ({'; '.join(units)}): {'; '.join(facts)}."
    return Sentence(text, tuple(column.key for column in columns))


def _chance(candidates: object) -> str:
    return f"{candidates} candidates, so chance is {100 / int(str(candidates)):.1f} %"
