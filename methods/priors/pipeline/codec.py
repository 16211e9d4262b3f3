"""What turns pictures into a prior's latents and back: a patch codec or a KL autoencoder, as the pipeline says."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Codec(Protocol):
    """Pictures ``(b 3 ps ps)`` in [0, 1] to latents ``(b k s s)`` and back."""

    @property
    def factor(self) -> int:
        """Pixels p on a side of one latent."""
        ...

    @property
    def channels(self) -> int:
        """Channels k of the latents."""
        ...

    def encode(self, rgb: Tensor) -> Tensor:
        """To latents; gradients flow."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """To colours, not held within [0, 1]."""
        ...

    def bound(self, latents: Tensor) -> Tensor:
        """Latents whose picture has its colours within [0, 1]; a codec that cannot tell returns them as they are."""
        ...
