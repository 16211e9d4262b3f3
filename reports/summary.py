"""The main table: a row for each method, in the columns of Table 1 of the SDI paper and then the ground truth's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from reports.frames import DIVERGED, FAILED, ReportFrames
from reports.means import asset_means, common_prompts, entry, prompt_means
from reports.table import Column, Direction, Entry, Row, Table

#: Scores of pictures and text, in the paper's order; those that a study lacks are left out.
PICTURE_SCORES: Final = ("clip_score", "quality", "sharpness", "real", "image_reward", "clip_top1")
#: Comparisons with the ground truth, for worlds that have one.
TRUTH_SCORES: Final = ("psnr", "ssim", "iou", "janus")

HOW_TO_READ: Final = (
    "Each entry is mean ± SD (n): views are averaged to an asset, assets to a prompt over its seeds, and the mean, "
    "the SD (n − 1) and n are over prompts.",
    "Scores, time and memory are of completed cells only, so n falls where cells diverged.",
    "Div. % is the share of cells whose optimisation diverged (nan, empty, opaque or frozen) among those that came "
    "to an end; cells that ran out of memory or time or crashed are noted apart and counted neither way.",
    "Time is the wall time of the optimisation alone; memory is the peak of a cell (rss: resident memory of the "
    "process; cuda: allocated on the GPU by torch).",
)


def score_columns(frames: ReportFrames, names: Sequence[str] | None = None) -> list[Column]:
    """Columns of the metrics called ``names`` that the frames have (all, where None), in that order."""
    cards = {str(card["metric"]): card for card in frames.metric_columns.to_dict("records")}
    chosen = list(cards) if names is None else [name for name in names if name in cards]
    columns = []
    for name in chosen:
        better = cards[name]["higher_is_better"]
        direction: Direction | None = None if pd.isna(better) else "up" if better else "down"
        unit = cards[name]["unit"]
        columns.append(
            Column(
                key=name,
                title=str(cards[name]["title"]),
                unit="" if pd.isna(unit) else str(unit),
                direction=direction,
                decimals=int(cards[name]["decimals"]),
            )
        )
    return columns


def summary_table(frames: ReportFrames, notes: Sequence[str]) -> Table:
    """The table over all prompts that each method completed.

    Args:
        frames: The study's results.
        notes: Sentences that the caption must carry, such as whose scorers these are.
    """
    caption = (*HOW_TO_READ, coverage(frames), *notes)
    return _table("summary", "Results", frames, list(frames.prompts), caption)


def common_table(frames: ReportFrames, notes: Sequence[str]) -> Table:
    """The same over the prompts that every method completed, so that all means are over the same prompts."""
    caption = (*HOW_TO_READ, coverage(frames), "Div. % is over all prompts; all else over the common ones.", *notes)
    return _table("summary-common", "Results on the common prompts", frames, common_prompts(frames), caption)


def coverage(frames: ReportFrames) -> str:
    """A sentence that names the prompts common to all methods, and why the others are not."""
    common, prompts = common_prompts(frames), list(frames.prompts)
    names = f": {', '.join(common)}" if common else ""
    sentence = f"Prompts completed by every method: {len(common)} of {len(prompts)}{names}."
    if len(common) == len(prompts):
        return sentence
    reasons = []
    for prompt in (prompt for prompt in prompts if prompt not in common):
        of_prompt = frames.cells[frames.cells["prompt_id"] == prompt]
        lost = of_prompt[of_prompt["status"] != "completed"]
        why = [f"{method} {status}" for method, status in zip(lost["method"], lost["status"], strict=True)]
        why += [f"{method} not run" for method in frames.methods if method not in set(of_prompt["method"])]
        reasons.append(f"{prompt} ({', '.join(dict.fromkeys(why))})")
    return f"{sentence} Not common: {'; '.join(reasons)}."


def _table(name: str, title: str, frames: ReportFrames, prompt_ids: list[str], caption: Sequence[str]) -> Table:
    pictures, truth = score_columns(frames, PICTURE_SCORES), score_columns(frames, TRUTH_SCORES)
    means = prompt_means(asset_means(frames))
    means = means[means["prompt_id"].isin(prompt_ids)]
    completed = frames.cells[(frames.cells["status"] == "completed") & frames.cells["prompt_id"].isin(prompt_ids)]
    time, seconds = _time_column(completed)
    divergence = Column("divergence", "Div.", "%", "down", decimals=1)
    mixed = "+" in _kinds(frames.cells)
    memory = Column(
        "memory", "memory" if mixed else f"memory ({_kinds(frames.cells)})".replace(" ()", ""), "GB", "down"
    )
    rows = []
    for method in frames.methods:
        own = means[means["method"] == method]
        scores = {key: entry(own.loc[own["metric"] == key, "value"]) for key in (*PICTURE_SCORES, *TRUTH_SCORES)}
        runs = completed[completed["method"] == method]
        entries = [scores[column.key] for column in pictures]
        entries += [divergence_entry(frames.cells[frames.cells["method"] == method])]
        entries += [_cost(runs, "optimise_seconds", seconds)]
        entries += [_cost(runs, "peak_bytes", 1e9, note=_kinds(runs) if mixed else "")]
        entries += [scores[column.key] for column in truth]
        rows.append(Row(method, tuple(entries)))
    columns = (*pictures, divergence, time, memory, *truth)
    return Table(name, title, tuple(caption), "Method", columns, tuple(rows))


def divergence_entry(cells: pd.DataFrame) -> Entry:
    """Share of diverged cells in % with its count ``k/n``; failures of the run are a note, never in k or n."""
    status = cells["status"]
    diverged, failed = int(status.isin(DIVERGED).sum()), status[status.isin(FAILED)]
    ended = len(status) - len(failed)
    note = ", ".join(f"{(failed == kind).sum()} {kind}" for kind in FAILED if (failed == kind).any())
    return Entry(mean=100 * diverged / ended if ended else None, text=f"{diverged}/{ended}", note=note)


def _cost(runs: pd.DataFrame, column: str, unit: float, *, note: str = "") -> Entry:
    return entry(runs.astype({column: float}).groupby("prompt_id", sort=False)[column].mean() / unit, note=note)


def _kinds(runs: pd.DataFrame) -> str:
    return " + ".join(sorted(set(runs["peak_kind"].dropna())))


def _time_column(completed: pd.DataFrame) -> tuple[Column, float]:
    """The column and the seconds in its unit: minutes once a cell takes twenty of them."""
    if completed["optimise_seconds"].max() >= 1200:
        return Column("time", "time", "min", "down", decimals=1), 60.0
    return Column("time", "time", "s", "down", decimals=1), 1.0
