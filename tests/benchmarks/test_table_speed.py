"""All tables of a study of the paper's size: 43 prompts, 8 methods, 12 metrics, 50 views."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reports import ReportFrames
from reports.frames import CELLS, EVENTS, SCORES, VIEWS
from reports.tables import all_tables

METHODS, PROMPTS, VIEWS_EACH = [f"method-{index}" for index in range(8)], 43, 50
METRICS = [f"metric-{index}" for index in range(12)]


@pytest.fixture(scope="module")
def frames() -> ReportFrames:
    rng = np.random.default_rng(0)
    cells = pd.DataFrame([(m, f"p{p}") for p in range(PROMPTS) for m in METHODS], columns=["method", "prompt_id"])
    cells["cell"] = cells["method"] + cells["prompt_id"]
    status = np.where(rng.uniform(size=len(cells)) < 0.05, "empty", "completed")
    facts = {"seed": 0, "prompt": "x", "settings": "{}", "steps": 10, "seconds": 9.0, "attempts": 1, "unet_rows": 9}
    seconds = {"optimise_seconds": rng.uniform(3000, 4000, len(cells)), "peak_bytes": rng.uniform(1e9, 2e9, len(cells))}
    cells = cells.assign(status=status, peak_kind="cuda", unet_calls=3, **facts, **seconds)
    cells = cells.reindex(columns=list(CELLS))
    scores = cells.loc[cells["status"] == "completed", ["cell", "method", "prompt_id", "prompt", "seed"]]
    scores = scores.merge(pd.DataFrame({"metric": METRICS}), how="cross")
    scores = scores.merge(pd.DataFrame({"view": range(VIEWS_EACH), "azimuth_deg": 0.0}), how="cross")
    difficulty = scores.groupby(["prompt_id", "metric"])["seed"].transform(lambda rows: rng.normal(30, 2))
    scores = scores.assign(value=difficulty + rng.normal(0, 2, len(scores)))[list(SCORES)]
    columns = {
        "metric": METRICS,
        "title": METRICS,
        "unit": "",
        "direction": "higher",
        "decimals": 2,
        "target": None,
        "group": "image",
        "headline": True,
        "mean": "arithmetic",
    }
    empty = {name: pd.DataFrame(columns=list(of)) for name, of in (("events", EVENTS), ("views", VIEWS))}
    return ReportFrames(
        cells=cells, scores=scores, metric_columns=pd.DataFrame(columns | {"scale": 1.0, "card": None}), **empty
    )


@pytest.mark.benchmark(group="report")
def test_all_tables(benchmark, frames) -> None:
    tables = benchmark.pedantic(all_tables, args=(frames, []), kwargs={"baseline": "method-0"}, rounds=3)
    assert len(tables) == 9
