"""A check at load: the scores of three images that a suite's file states.

The same weights with another activation, tokenizer or normalisation give scores that look right and are not.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from methods.weights import WeightsError
from metrics.suites import Role, Suite

#: The text that the images are scored for.
PROMPT = "a red striped car"

_FOLDER = Path(__file__).parents[1] / "weights" / "known_images"

#: The car; the car dull, noisy and blurred; a blue duck.  Of 128 pixels, so that resizing counts too.
_NAMES = ("object", "degraded", "other")

_right: set[Hashable] = set()


@cache
def known_images() -> np.ndarray:
    """The images, uint8 ``(3 h w 3)``."""
    images = []
    for name in _NAMES:
        with Image.open(_FOLDER / f"{name}.png") as image:
            images.append(np.asarray(image.convert("RGB")))
    return np.stack(images)


def check_known_images(suite: Suite, role: Role, key: Hashable, score: Callable[[np.ndarray, str], np.ndarray]) -> None:
    """Compare the scores of the known images with those that the suite states; once per process and ``key``.

    Args:
        suite: The suite; nothing is done if its file states no scores for the role.
        role: The role of the model.
        key: The weights' hash, and what else decides the scores.
        score: Maps uint8 images ``(3 h w 3)`` and a text to float64 ``(3,)``.

    Raises:
        WeightsError: If a score is further off than the stated tolerance, or their order is another.
    """
    model = suite.models[role]
    if model.expected is None or model.tolerance is None or (key, model.expected, model.tolerance) in _right:
        return
    found = score(known_images(), PROMPT)
    off = float(np.abs(found - model.expected).max())
    same_order = list(np.argsort(found)) == list(np.argsort(model.expected))
    if not (off <= model.tolerance and same_order):  # NaN is not
        raise WeightsError(
            f"the suite {suite.name}: {role}: three known images score {_words(found)}, but the suite's file says "
            f"{_words(model.expected)} within {model.tolerance:g}; activation, tokenizer or normalisation are not "
            "those of the weights"
        )
    _right.add((key, model.expected, model.tolerance))


def _words(scores: np.ndarray | tuple[float, ...]) -> str:
    return ", ".join(f"{score:.4f}" for score in scores)
