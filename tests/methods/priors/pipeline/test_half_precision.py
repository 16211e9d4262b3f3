"""An autoencoder that overflows in float16 is run in another precision, with one line."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch

from methods.priors.pipeline.half_precision import without_overflow


class Autoencoder:
    """Finite in some precisions only, for images that are not all black."""

    device = torch.device("cpu")

    def __init__(self, dtype: torch.dtype, finite: tuple[torch.dtype, ...]) -> None:
        self.dtype, self.finite = dtype, finite
        self.seen: list[tuple[tuple[int, ...], torch.dtype]] = []

    def to(self, dtype: torch.dtype) -> Autoencoder:
        return Autoencoder(dtype, self.finite)

    def encode(self, images: torch.Tensor) -> SimpleNamespace:
        self.seen.append((tuple(images.shape), images.dtype))
        broken = self.dtype not in self.finite and images.max() > -1
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=images / 0 if broken else images))


@pytest.mark.parametrize(
    ("finite", "expected"),
    [
        ((torch.float16, torch.bfloat16, torch.float32), torch.float16),
        ((torch.bfloat16, torch.float32), torch.bfloat16),
        ((torch.float32,), torch.float32),
    ],
)
def test_the_first_precision_without_overflow_is_taken(finite, expected, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="sdibench"):
        found = without_overflow(Autoencoder(torch.float16, finite), 16)
    assert found.dtype == expected
    lines = [record.getMessage() for record in caplog.records]
    name = str(expected).removeprefix("torch.")
    warned = [f"the autoencoder overflows in float16 on this device; it runs in {name}"]
    assert lines == ([] if expected == torch.float16 else warned)
    assert found.seen[0] == ((1, 3, 16, 16), expected)


def test_other_precisions_are_not_tried_out() -> None:
    vae = Autoencoder(torch.float32, ())
    assert without_overflow(vae, 16) is vae
    assert vae.seen == []
