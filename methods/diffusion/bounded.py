"""A setting of every optimisation: which predictions are kept within a prior's range of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:  # the settings of a study import this module, and --help must not wait for torch
    from torch import Tensor

    from methods.contracts import Prior

#: The predictions whose clean image is moved into the prior's range of images: none of them, those that an update or a
#: sampler uses, or also those within an inversion.
Bound = Literal["none", "target", "all"]


def with_bound(prior: Prior, bound: Bound) -> Prior:
    """``prior`` whose ``bound`` keeps to its range of images only where ``bound`` says so."""
    return prior if bound == "all" else cast("Prior", _BoundedPrior(prior, updates=bound == "target"))


class _BoundedPrior:
    """In everything else, the prior itself."""

    def __init__(self, prior: Prior, *, updates: bool) -> None:
        self._prior, self._updates = prior, updates

    def __getattr__(self, name: str) -> Any:
        return getattr(self._prior, name)

    def bound(self, latents: Tensor, *, inverting: bool = False) -> Tensor:
        return self._prior.bound(latents) if self._updates and not inverting else latents
