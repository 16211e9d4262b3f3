"""Captions of toybox images: a small grammar with view words, quality words and omissions.

Attributes are sometimes left out, so that "a red car" is also a right caption of a striped red car and a
prompt can have several right answers.
"""

from __future__ import annotations

import numpy as np

from prompts.toybox.kinds import KINDS
from prompts.toybox.objects import COLOURS, PATTERNS, ToyObject

#: Words for clean images, and for each degradation the words that fit it (see ``degradations``).
GOOD_WORDS = ("good", "sharp", "real")
BAD_WORDS = {"blur": ("blurry", "bad"), "noise": ("noisy", "bad"), "dull": ("dull", "bad"), "warp": ("abstract", "bad")}

VIEWS = ("front view", "side view", "back view")

#: Every word that a caption can hold; the text models' vocabulary is made of these.
WORDS = tuple(
    dict.fromkeys(
        [*KINDS, *COLOURS, *PATTERNS, *GOOD_WORDS]
        + [word for words in BAD_WORDS.values() for word in words]
        + ["a", "an", "of", "photo", "view", "front", "side", "back", "overhead", "and", "the", ",", "."]
    )
)

_OMIT_COLOUR = 0.10
_OMIT_PATTERN = 0.20
_SAY_PLAIN = 0.15
_SAY_PHOTO = 0.25


def caption(toy: ToyObject, *, rng: np.random.Generator, view: str | None = None, quality: str | None = None) -> str:
    """Draw a caption of ``toy``, such as ``"a photo of a red striped car, back view"``.

    Args:
        toy: The object in the image.
        rng: Generator of the omissions.
        view: View words to add at the end.
        quality: A word of ``GOOD_WORDS`` or ``BAD_WORDS`` that describes the image.
    """
    plain = toy.pattern == "plain"
    says_pattern = rng.random() < _SAY_PLAIN if plain else rng.random() >= _OMIT_PATTERN
    says_colour = rng.random() >= _OMIT_COLOUR
    words = [toy.colour] * says_colour + [toy.pattern] * says_pattern + [toy.kind]
    text = with_article(" ".join(words))
    if quality is not None:
        text = f"{with_article(quality)} photo of {text}"
    elif rng.random() < _SAY_PHOTO:
        text = f"a photo of {text}"
    return text if view is None else f"{text}, {view}"


def with_article(words: str) -> str:
    """Put "a" or "an" before ``words``."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
