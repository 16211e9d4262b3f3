"""Cards of pipelines, read without loading them: all that a cell's identity takes from its prior."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from methods.priors.pipeline.folder import PATCH_CODEC, family_in, pipeline_sha256, read_configs
from methods.weights import CARD, read_card

#: Fields of the pipelines' cards in addition to their files.
_FIELDS = {
    # s of ε_∅ + s·(ε_y − ε_∅): DDIM sampling with 7.5 is what SDI and NFSD reproduce (arXiv 2405.15891 A.3; 2310.17590)
    "guidance_scale": 7.5,
    # p_neg of NFSD, appendix of arXiv 2310.17590
    "negative_prompt": "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, "
    "low-resolution, gloomy",
}


class PriorCard(NamedTuple):
    """The fields of :class:`methods.contracts.Prior` that need no network."""

    weights_sha256: str
    guidance_scale: float
    negative_prompt: str


def pipeline_card(folder: Path) -> PriorCard:
    """The card of the pipeline in ``folder``; without a ``card.json`` it is that of its family.

    The files are hashed, so that a cell is never named after weights that it would not run with; those of Stable
    Diffusion's size once per machine (``methods.weights.known_sha256`` keeps their hashes with their size and times).

    Args:
        folder: The pipeline folder.

    Raises:
        WeightsError: If a file is missing, or differs from the one that the card names.
    """
    sha256 = pipeline_sha256(folder)
    return _card(sha256, read_card(folder) if (folder / CARD).is_file() else default_fields(folder))


def default_fields(folder: Path) -> dict[str, Any]:
    """The fields of the card of a pipeline whose files are there: its family's guidance scale, and a negative prompt.

    Raises:
        WeightsError: If the pipeline is of a kind that cannot be a prior, or a configuration cannot be read.
    """
    family = family_in(folder)
    return {**_FIELDS, "guidance_scale": family.default_scale(read_configs(folder, family.networks()))}


def unfetched_card() -> PriorCard:
    """The card that a fetched pipeline will have; its hash is the word "unknown"."""
    return _card("unknown", _FIELDS)


def _card(sha256: str, fields: Mapping[str, Any]) -> PriorCard:
    return PriorCard(sha256, float(fields.get("guidance_scale", 1.0)), str(fields.get("negative_prompt", "")))


def has_patch_codec(folder: Path) -> bool:
    """Test whether the pipeline is a small one with the toybox's codec, which gains nothing from a GPU."""
    return (folder / "vae" / PATCH_CODEC).is_file()
