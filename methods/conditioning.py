"""The conditioning of a prior's network, opaque to methods: they index it, join it and count its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Conditioning:
    """The conditioning of ``b`` rows of a batch.

    A prior fills what its network reads: Stable Diffusion 1 and 2 the sequence only, SDXL also a pooled vector and ids.
    """

    sequence: Tensor
    """``(b n d)``, a vector for each token."""
    pooled: Tensor | None = None
    """``(b p)``, a vector for the whole text."""
    mask: Tensor | None = None
    """``(b n)``, 1 for tokens that count and 0 for padding."""
    ids: Tensor | None = None
    """``(b k)``, numbers that are not of the text: sizes and crops in SDXL."""

    def __len__(self) -> int:
        """The number of rows b."""
        return len(self.sequence)

    def tensors(self) -> list[Tensor]:
        """All of the tensors."""
        return [each for each in (self.sequence, self.pooled, self.mask, self.ids) if each is not None]

    def __getitem__(self, index: Tensor | slice) -> Conditioning:
        """The rows at ``index``: a slice, or ``(k,)`` int64."""
        return self._map(lambda values: values[index])

    def mix(self, shares: Tensor) -> Conditioning:
        """Weighted means of the rows; ``shares`` ``(m b)`` sums to 1 over b.

        A token counts if it does in one of the rows that have a share; ids are those of the largest share.
        """
        return Conditioning(
            torch.einsum("mb,bnd->mnd", shares, self.sequence),
            None if self.pooled is None else shares.to(self.pooled) @ self.pooled,
            None if self.mask is None else ((shares > 0).to(self.mask) @ self.mask).clamp(max=1),
            None if self.ids is None else self.ids[shares.argmax(dim=1)],
        )

    @staticmethod
    def cat(parts: Sequence[Conditioning]) -> Conditioning:
        """The rows of all parts, which are of one prior."""

        def joined(of: Callable[[Conditioning], Tensor | None]) -> Tensor | None:
            values = [value for part in parts if (value := of(part)) is not None]
            return torch.cat(values) if values else None

        return Conditioning(
            torch.cat([part.sequence for part in parts]),
            joined(lambda part: part.pooled),
            joined(lambda part: part.mask),
            joined(lambda part: part.ids),
        )

    def _map(self, change: Callable[[Tensor], Tensor]) -> Conditioning:
        return Conditioning(
            change(self.sequence),
            *(None if value is None else change(value) for value in (self.pooled, self.mask, self.ids)),
        )
