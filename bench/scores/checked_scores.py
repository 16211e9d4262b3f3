"""The scores of one metric for the views of one scene, checked before anything is done with them."""

from __future__ import annotations

import traceback
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.errors import InputError, RunError
from methods.weights import WeightsError
from metrics import Metric
from metrics.views import Views

#: Images of an array whose order of bytes is looked at for changes, spread over it: to do so with every byte twice for
#: each metric would take a tenth of the time of scoring with small models.  The sum of an array is of all its bytes.
_LOOKED_AT = 4


def checked_scores(
    scorer: Metric, images: Views, prompt: str, candidates: Sequence[str], what: str
) -> dict[str, np.ndarray]:
    """Score the images, and check that the columns are the card's and have a value for each view.

    Args:
        scorer: The metric.
        images: The views of one scene.
        prompt: The text that they are scored against.
        candidates: The texts that R-precision chooses from.
        what: Name of the scene, for the message of an error.

    Returns:
        Float64 ``(n,)`` by column; columns that do not apply to the scene are absent.

    Raises:
        InputError: If a column is not the card's, or its values are not one number for each view, or the metric has
            changed the images, which the next one would be given.
        RunError: If the metric itself raises anything.
    """
    name = scorer.card.name
    before = _checksum(images)
    try:
        scores = scorer.score(images, prompt, candidates)
    except (InputError, WeightsError):
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        raise RunError(f"metric {name} failed on {what}: {type(error).__name__}: {error} ({where})") from error
    if _checksum(images) != before:
        raise InputError(f"metric {name}: changed the images of {what} that it was given, must copy them first")
    if not isinstance(scores, Mapping):
        columns = ", ".join(scorer.card.column_names)
        raise InputError(
            f"metric {name}: gives {_described(scores)} for {what}, must give a dict with an array of {len(images)} "
            f"values for each column of its card: {columns}"
        )
    found = {}
    for column, values in scores.items():
        if column not in scorer.card.column_names:
            columns = ", ".join(scorer.card.column_names)
            raise InputError(f"metric {name}: gives the column {column!r} for {what}, must be of its card: {columns}")
        try:
            found[column] = np.asarray(values, float)
        except (TypeError, ValueError) as error:
            raise InputError(f"metric {name}: the column {column!r} for {what} is not of numbers: {error}") from error
        if found[column].shape != (len(images),):
            shape = found[column].shape
            raise InputError(
                f"metric {name}: the column {column!r} for {what} has the shape {shape}, must be ({len(images)},), a "
                "value for each view"
            )
    return found


def _checksum(images: Views) -> list[int]:
    """Numbers that are others once the arrays of the views have been written in."""
    truths = [
        array for truth in (*images.truths, *images.objects) for array in (truth.rgb, truth.opacity, truth.faceless)
    ]
    found = [0]
    for array in (images.rgb, images.opacity, images.azimuth_deg[None], images.samples, *images.others, *truths):
        if array is not None:
            for image in array[:: max(1, len(array) // _LOOKED_AT)]:
                found[0] = zlib.crc32(np.ascontiguousarray(image).data, found[0])
            found.append(_sum_of_bytes(array))
    return found


def _sum_of_bytes(array: np.ndarray) -> int:
    """The sum of an array's bytes, eight as one number; fast, and blind to their order."""
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    whole = len(content) // 8 * 8
    return int(content[:whole].view(np.uint64).sum()) + int(content[whole:].sum())


def _described(value: object) -> str:
    shape = f" of the shape {value.shape}" if isinstance(value, np.ndarray) else ""
    return f"a value of the type {type(value).__name__}{shape}"
