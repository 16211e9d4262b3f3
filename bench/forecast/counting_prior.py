"""A prior without weights, on which a method is run to see what it asks of a real one."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from methods.conditioning import Conditioning
from methods.contracts import AdaptedPrior
from methods.priors.closed_form.gaussian import GaussianPrior

#: The networks of a prior, and its adapted copy.
Network = Literal["unet", "adapted", "encoder", "decoder"]


class Request(NamedTuple):
    """One kind of network evaluation."""

    network: Network
    has_gradient: bool
    """Whether something of the result is differentiated: an input, or the parameters of an adapted copy."""


class CountingPrior:
    """The closed-form prior, which counts the evaluations that it is asked for.

    ``rows`` and ``calls`` are counted by request: rows of a batch, and batches.  Whatever a method does not ask of a
    network is the closed-form prior's.
    """

    def __init__(self) -> None:
        self._prior = GaussianPrior()
        self.rows_of: Counter[Request] = Counter()
        self.calls_of: Counter[Request] = Counter()
        self.largest: dict[Request, int] = {}
        """Rows of the largest batch of each request."""
        self.rank = 0
        """Rank of the adapted copy, 0 without one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._prior, name)

    def encode(self, rgb: Tensor) -> Tensor:
        """``(b 3 h w)`` in [0, 1] to latents."""
        self._count("encoder", rgb)
        return self._prior.encode(rgb)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to colours."""
        self._count("decoder", latents)
        return self._prior.decode(latents)

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The closed-form prior's noise."""
        self._count("unet", latents, is_trained=conditioning.sequence.requires_grad)
        return self._prior.predict_noise(latents, timesteps, conditioning)

    def adapted(self, rank: int, generator: torch.Generator) -> AdaptedPrior:
        """The closed-form prior's adapted copy, whose evaluations are requests of their own."""
        self.rank = rank
        return _CountingAdaptedPrior(self, self._prior.adapted(rank, generator))

    def _count(self, network: Network, given: Tensor, *, is_trained: bool = False) -> None:
        request = Request(network, torch.is_grad_enabled() and (is_trained or given.requires_grad))
        self.rows_of[request] += len(given)
        self.calls_of[request] += 1
        self.largest[request] = max(len(given), self.largest.get(request, 0))


class _CountingAdaptedPrior:
    def __init__(self, counts: CountingPrior, adapted: AdaptedPrior) -> None:
        self._counts, self._adapted = counts, adapted

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        return self._adapted.parameters()

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, cameras: Tensor) -> Tensor:
        self._counts._count("adapted", latents, is_trained=True)  # noqa: SLF001, its other half
        return self._adapted.predict_noise(latents, timesteps, conditioning, cameras)
