"""A head of linear layers on CLIP's image features, such as LAION's aesthetic predictor."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from methods.weights import WeightsError, hash_weights, write_tensors

HEAD_WEIGHTS = "linear_head.safetensors"


class LinearHead:
    """Linear layers one after the other, without a function between them, from unit features to one number.

    Args:
        folder: ``linear_head.safetensors`` with ``layers.N.weight`` and ``layers.N.bias`` in the order of N, as in
            LAION's checkpoints, where other N are dropouts.

    Raises:
        WeightsError: If the file is missing, changed, or of something else.
    """

    def __init__(self, folder: Path) -> None:
        self.weights_sha256 = hash_weights(folder)
        try:
            weights = load_file(folder / HEAD_WEIGHTS)
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"{folder}: no {HEAD_WEIGHTS} that can be read ({error})") from error
        self._layers, self._where = layers_of(weights, str(folder)), folder

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the features, between the layers, and of the result."""
        return self._layers[0][0].shape[1], *(weight.shape[0] for weight, _ in self._layers)

    def check_width(self, width: int) -> None:
        """Check that a CLIP's features have the width that the head reads.

        Raises:
            WeightsError: If they have another one.
        """
        if width != self.widths[0]:
            raise WeightsError(
                f"{self._where}: reads features of width {self.widths[0]}, but its CLIP's have {width}; "
                "the head and the suite's aesthetic_clip belong to different models"
            )

    def apply(self, features: Tensor) -> np.ndarray:
        """Apply the head to unit features ``(n d)`` on the CPU in float32; float64 ``(n,)``."""
        for weight, bias in self._layers:
            features = nn.functional.linear(features, weight, bias)
        found: np.ndarray = features[:, 0].double().numpy()
        return found


def layers_of(weights: Mapping[str, Tensor], where: str) -> list[tuple[Tensor, Tensor]]:
    """Sort the weights and biases of a head, as float32.

    Raises:
        WeightsError: If they are not those of linear layers that follow one another and end in one number.
    """
    numbers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("layers.") and name.count(".") == 2
                      and name.split(".")[1].isdecimal()})  # fmt: skip
    names = [f"layers.{number}.{part}" for number in numbers for part in ("weight", "bias")]
    if not names or set(names) != set(weights):
        odd = min(set(names) ^ set(weights), default="layers.0.weight")
        raise WeightsError(f"{where}: is not a head of linear layers: {odd} is missing or not one of their names")
    layers = [tuple(weights[f"layers.{number}.{part}"].float() for part in ("weight", "bias")) for number in numbers]
    follow = all(after.shape[1] == before.shape[0] for (before, _), (after, _) in pairwise(layers))
    fit = all(weight.ndim == 2 and bias.shape == weight.shape[:1] for weight, bias in layers)
    if not fit or not follow or layers[-1][0].shape[0] != 1:
        shapes = ", ".join("×".join(map(str, weight.shape)) for weight, _ in layers)
        raise WeightsError(f"{where}: its layers {shapes} do not follow one another to one number")
    return [(weight, bias) for weight, bias in layers]


def write_head(weights: Mapping[str, Tensor], folder: Path, source: Path) -> None:
    """Write a published head as the folder that :class:`LinearHead` reads.

    Raises:
        WeightsError: If ``weights``, those of the file ``source``, are not a head's; nothing is written then.
    """
    layers_of(weights, str(source))
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors({name: value.float().contiguous() for name, value in weights.items()}, folder / HEAD_WEIGHTS)


@cache
def load_head(folder: Path) -> LinearHead:
    """Load the head of a folder, once."""
    return LinearHead(folder)
