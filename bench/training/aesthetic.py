"""Write the toybox's stand-in for an aesthetic head: nothing is trained, its direction is CLIP's own.

    python -m bench.training.aesthetic

writes 5 + 10 · (cosine with "Good photo." − cosine with "Bad photo.") of the toybox's CLIP as a linear head.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from methods.weights import write_card
from metrics.clip_iqa import PROMPT_PAIRS
from metrics.models.clip import ClipModel
from metrics.models.linear_head import write_head

_BIAS, _SCALE = 5.0, 10.0


@dataclass(frozen=True)
class Options:
    """Input and output."""

    clip: Path = Path("metrics/weights/toybox_clip")
    """Folder of the CLIP."""
    out: Path = Path("metrics/weights/toybox_aesthetic")
    """The folder of weights to write."""


def main(options: Options) -> None:
    """Write the folder and its card."""
    clip, pair = ClipModel(options.clip), PROMPT_PAIRS[0]
    good, bad = clip.text_features([pair.positive, pair.negative])
    weights = {"layers.0.weight": _SCALE * (good - bad)[None], "layers.0.bias": torch.tensor([_BIAS])}
    write_head(weights, options.out, options.clip)
    write_card(
        options.out,
        title="Stand-in for an aesthetic head",
        script="python -m bench.training.aesthetic",
        formula=f"{_BIAS:g} + {_SCALE:g} · (cosine with {pair.positive!r} − cosine with {pair.negative!r})",
        training="none; it is a direction of the toybox's CLIP, not what people like",
        clip_sha256=clip.weights_sha256,
    )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
