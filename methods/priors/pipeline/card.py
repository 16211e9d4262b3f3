"""What is known of a pipeline without loading it: all that a cell's identity takes from its prior."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from methods.priors.pipeline.folder import PATCH_CODEC, pipeline_sha256
from methods.priors.pipeline.settings import Posterior
from methods.priors.pipeline.stable_diffusion import CARD_FIELDS
from methods.weights import CARD, read_card


class PriorCard(NamedTuple):
    """The fields of :class:`methods.contracts.Prior` that need no network."""

    weights_sha256: str
    guidance_scale: float
    negative_prompt: str


def pipeline_card(folder: Path, posterior: Posterior) -> PriorCard:
    """The card of the pipeline in ``folder``; one without a ``card.json`` has that of the suite ``sd21``.

    The files are hashed, so that a cell is never named after weights that it would not run with; those of Stable
    Diffusion's size once a machine (``methods.weights.known_sha256`` keeps their hashes beside their size and times).

    Args:
        folder: The pipeline folder.
        posterior: What is taken of a KL autoencoder's posterior, which is part of the hash where it is a sample.

    Raises:
        WeightsError: If a file is lacking, or is not the one the card names.
    """
    sha256 = pipeline_sha256(folder)
    if posterior != "mode" and not has_patch_codec(folder):
        sha256 = hashlib.sha256(f"{sha256} {posterior}".encode()).hexdigest()
    fields: Mapping[str, Any] = read_card(folder) if (folder / CARD).is_file() else CARD_FIELDS
    return PriorCard(sha256, float(fields.get("guidance_scale", 1.0)), str(fields.get("negative_prompt", "")))


def has_patch_codec(folder: Path) -> bool:
    """Whether the pipeline is a small one with the toybox's codec, for which a GPU is no help."""
    return (folder / "vae" / PATCH_CODEC).is_file()
