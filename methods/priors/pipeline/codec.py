"""The contract of codecs, which convert between images and latents: a patch codec or a KL autoencoder."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Codec(Protocol):
    """Converts images ``(b 3 ps ps)`` in [0, 1] to latents ``(b k s s)`` and back."""

    @property
    def factor(self) -> int:
        """Side p of one latent in pixels."""
        ...

    @property
    def channels(self) -> int:
        """Channels k of the latents."""
        ...

    def encode(self, rgb: Tensor) -> Tensor:
        """Convert images to latents; gradients flow."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Convert latents to colours, which are not clamped to [0, 1]."""
        ...

    def bound(self, latents: Tensor) -> Tensor:
        """The latents of the same images with colours clamped to [0, 1]; unchanged for a codec without such a range."""
        ...
