"""Figures of the toybox's priors from their cards: samples that show what the prompt asks for, by scale and clipping.

    python -m bench.measurements.prior_figures --out reports/results/data/prior_figures.csv

No sample is drawn: ``bench.training.calibrate`` has drawn them, and wrote the shares into each card.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
import tyro
from rich.console import Console

from methods.priors.loading import folder_of
from methods.weights import read_card

PRIORS: Final = ("toybox", "toybox-flow", "toybox-latent")
#: Shares of samples that are right.
SHARES: Final = ("kind_and_colour", "pattern", "view", "all")


@dataclass(frozen=True)
class Options:
    """Options."""

    out: Path | None = None
    """CSV file for what is printed."""


def figures(prior: str) -> pd.DataFrame:
    """The shares of each trial of the calibration, and of the ``held_out`` samples at the chosen scale."""
    card = read_card(folder_of(prior) or Path(prior))
    calibration, held_out = card["calibration"], card["held_out"]
    trials = [_row(name, calibration[name], calibration["samples"]) for name in calibration if ", " in name]
    chosen = f"{calibration['bound']}, {card['guidance_scale']}"
    rows = [*trials, _row(chosen, held_out, int(held_out["what"].split()[0])) | {"what": "held_out"}]
    return pd.DataFrame(rows).assign(prior=prior, training_images=card["steps"] * card["batch"])


def _row(name: str, shares: dict[str, Any], samples: int) -> dict[str, Any]:
    bound, scale = name.split(", ")
    found = {each: shares[each] for each in SHARES}
    return {"what": "calibration", "bound": bound, "scale": float(scale), "samples": samples, **found}


def main(options: Options) -> None:
    """Read and print."""
    found = pd.concat([figures(prior) for prior in PRIORS]).set_index("prior")
    if options.out:
        found.to_csv(options.out)
    Console(width=200).print(found.to_string())


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
