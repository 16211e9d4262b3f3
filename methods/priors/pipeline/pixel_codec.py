"""The codec of models that denoise pixels."""

from __future__ import annotations

from torch import Tensor

from methods.pixels import clamp_finite


class PixelCodec:
    """Latents that are the image itself, its colours in [−1, 1]."""

    factor = 1
    channels = 3

    def encode(self, rgb: Tensor) -> Tensor:
        """``(b 3 s s)`` in [0, 1] to ``(b 3 s s)`` in [−1, 1]; gradients flow."""
        return 2 * rgb - 1

    def decode(self, latents: Tensor) -> Tensor:
        """``(b 3 s s)`` to colours, not clamped to [0, 1]."""
        return (latents + 1) / 2

    def bound(self, latents: Tensor) -> Tensor:
        """The latents clamped to [−1, 1]."""
        return self.encode(clamp_finite(self.decode(latents)))
