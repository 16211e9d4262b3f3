"""The claims that a caption makes about an image, and their truth.

Captions leave attributes out, so one caption can be right for many images of a batch.  A contrast that took
only the image it was written for as right would teach a CLIP that "a red car" is wrong of other red cars.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.training.wear import DAMAGE
from prompts.toybox import (
    BAD_WORDS,
    COLOURS,
    GOOD_WORDS,
    KINDS,
    PATTERNS,
    VIEWS,
    ToyObject,
    all_objects,
    caption,
    is_held_out,
)

#: Quality words, and the damage that each one is about.
QUALITY: dict[str, tuple[str, ...]] = {
    "good": DAMAGE,
    "bad": DAMAGE,
    "sharp": ("blur",),
    "real": ("warp",),
    **{words[0]: (kind,) for kind, words in BAD_WORDS.items()},
}

#: Damage above the first is worth its bad word, below the second a good word; between them neither word is said.
STRONG, WEAK = 0.5, 0.3

#: ``all_objects()``, which is made again at every call.
OBJECTS = tuple(all_objects())

_OPEN = -1
_NOTHING = -2  # no object in the image: no claim about one fits
_ATTRIBUTES = (tuple(KINDS), tuple(COLOURS), PATTERNS, VIEWS)
_FIELDS = ("kind", "colour", "pattern")
_WORDS = tuple(QUALITY)


class Facts(NamedTuple):
    """The attributes of the images of a batch."""

    attributes: Tensor  # (b 4) int: kind, colour, pattern, view
    strengths: Tensor  # (b, number of DAMAGE)


def facts_of(toy: np.ndarray, view: np.ndarray, strengths: Tensor, nothing: np.ndarray | None = None) -> Facts:
    """Facts from indices into ``all_objects()`` and ``VIEWS``; ``nothing`` marks images without an object."""
    attributes = torch.tensor([[*_toy_attributes()[index], int(seen)] for index, seen in zip(toy, view, strict=True)])
    if nothing is not None:
        attributes[torch.from_numpy(nothing)] = _NOTHING
    return Facts(attributes, strengths)


def claims_of(texts: Sequence[str]) -> Tensor:
    """``(n 5)`` int: kind, colour, pattern, view and quality word that each text claims, −1 where it is silent."""
    return torch.tensor([_claims(text) for text in texts])


class Fit(NamedTuple):
    """Captions against images, each ``(captions, images)`` bool."""

    right: Tensor
    unclear: Tensor  # all but the quality word is right, and the damage lies between the word and its opposite


def fit(claims: Tensor, facts: Facts) -> Fit:
    """Say which captions ``(n 5)`` are right about which images."""
    said, seen = claims[:, None, :4], facts.attributes[None]
    agrees = ((said == seen) | (said == _OPEN)).all(dim=-1)
    states = quality_states(facts.strengths)  # (images, words)
    silent = torch.ones(len(states), 1, dtype=torch.int64)
    state = torch.cat([states, silent], dim=1)[:, claims[:, 4]].T  # column −1 is the silent one
    return Fit(agrees & (state == 1), agrees & (state == -1))


def quality_states(strengths: Tensor) -> Tensor:
    """``(b, number of QUALITY words)`` int: 1 where the word fits, 0 where it does not, −1 where neither is clear."""
    columns = []
    for word, kinds in QUALITY.items():
        worst = strengths[:, [DAMAGE.index(kind) for kind in kinds]].amax(dim=1)
        state = torch.where(worst >= STRONG, 1, torch.where(worst <= WEAK, 0, -1))
        columns.append(torch.where(state < 0, state, 1 - state) if word in GOOD_WORDS else state)
    return torch.stack(columns, dim=1)


def write_captions(
    toy: np.ndarray, view: np.ndarray, strengths: Tensor, rng: np.random.Generator, *, quality_share: float
) -> list[str]:
    """A right caption of each image, with view words on some and quality words on a share of them."""
    texts = []
    for index, seen, states in zip(toy, view, quality_states(strengths).tolist(), strict=True):
        fitting = [word for word, state in zip(_WORDS, states, strict=True) if state == 1]
        says = bool(fitting) and rng.random() < quality_share
        word = fitting[int(rng.integers(len(fitting)))] if says else None
        words = VIEWS[seen] if rng.random() < 0.4 else None
        texts.append(caption(OBJECTS[index], rng=rng, view=words, quality=word))
    return texts


def wrong_caption(toy: ToyObject, view: str | None, seed: Sequence[int]) -> tuple[str, str]:
    """A right caption of ``toy`` and one that differs in a single attribute, which makes it wrong.

    The wrong one never describes a held-out combination: to have met those words as wrong only would be known.

    Args:
        toy: The object in the image.
        view: View words to say, if any.
        seed: The same seed gives the same pair.
    """
    rng = np.random.default_rng([*seed, 1])
    right = _with_omissions(toy, view, seed)
    for field in rng.permutation(len(_ATTRIBUTES) if view else len(_ATTRIBUTES) - 1):
        for value in rng.permutation(_ATTRIBUTES[field]).tolist():
            other, words = (toy, value) if field == 3 else (replace(toy, **{_FIELDS[field]: value}), view)
            text = _with_omissions(other, words, seed)
            claimed = _claims(text)[field]
            wrong = claimed not in (_OPEN, _claims(_full(toy, view))[field])
            if wrong and (field == 3 or not is_held_out(other)):
                return right, text
    raise AssertionError("the kind is always said, and another kind is always wrong")


def _with_omissions(toy: ToyObject, view: str | None, seed: Sequence[int]) -> str:
    """A caption that leaves out the same attributes for every object of one seed."""
    return caption(toy, rng=np.random.default_rng(list(seed)), view=view)


def _full(toy: ToyObject, view: str | None) -> str:
    return f"{toy.colour} {toy.pattern} {toy.kind} {view or ''}"


@cache
def _toy_attributes() -> list[tuple[int, int, int]]:
    kinds, colours, patterns, _ = _ATTRIBUTES
    return [(kinds.index(t.kind), colours.index(t.colour), patterns.index(t.pattern)) for t in OBJECTS]


@cache
def _claims(text: str) -> tuple[int, ...]:
    words = re.findall(r"[a-z]+", text.lower())
    spoken = [*words, *(f"{word} view" for word in words)]
    return tuple(
        next((values.index(word) for word in spoken if word in values), _OPEN) for values in (*_ATTRIBUTES, _WORDS)
    )
