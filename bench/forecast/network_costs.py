"""Operations and memory of one row of each network of a prior, counted on shapes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from bench.forecast.counting_prior import Request
from bench.forecast.operations import count_operations
from methods.priors.pipeline.architecture import Architecture

#: float32 numbers of a trained parameter: its value, its gradient, and AdamW's two moments.
_TRAINED_NUMBERS = 4


class NetworkCost(NamedTuple):
    """Cost of one row of a batch."""

    operations: int
    """Operations, those of the gradient included if the request has one."""
    held_bytes: int
    """Bytes that wait for the gradient."""
    launches: int
    """Operators that Python starts for a batch, whatever its rows; torch itself starts those of the gradient."""
    peak_bytes: int
    """The most bytes at any moment, without the weights."""


class NetworkCosts:
    """The networks of a prior.

    Args:
        architecture: Their shapes.
        resolution: Side of the images in pixels; None for the one that they were trained on.
    """

    def __init__(self, architecture: Architecture, resolution: int | None = None) -> None:
        from methods.priors.pipeline.shape_networks import ShapeNetworks  # diffusers takes seconds to import

        self._networks = ShapeNetworks(architecture, resolution)
        self.is_half = self._networks.dtype == torch.float16
        self.weight_bytes = self._networks.weight_bytes
        self.of = cache(self._of)

    def trained_bytes(self, rank: int) -> int:
        """Memory of what a copy with adapters of ``rank`` trains, its optimiser included; 0 for no copy."""
        if rank == 0:
            return 0
        trained = self._networks.adapted(rank).parameters().values()
        return sum(value.numel() for value in trained) * torch.float32.itemsize * _TRAINED_NUMBERS

    def _of(self, request: Request, rank: int = 0) -> NetworkCost:
        """The cost of one row of ``request``; ``rank`` is that of the adapted copy."""
        networks = self._networks
        run: Callable[[Tensor], Tensor]
        match request.network:
            case "unet":
                given, run = networks.latents(), networks.predict_noise
            case "adapted":
                adapted = networks.adapted(rank)
                given, run = networks.latents(), lambda latents: networks.predict_adapted(adapted, latents)
            case "encoder":
                given, run = networks.images(), networks.encode
            case "decoder":
                given, run = networks.latents(), networks.decode
        if request.network != "adapted":  # whose parameters have the gradient
            given.requires_grad_(request.has_gradient)
        with nullcontext() if request.has_gradient else torch.no_grad(), count_operations() as counted:
            found = run(given)
            held, launches = counted.live_bytes, counted.launches
            if request.has_gradient:
                found.sum().backward()
        return NetworkCost(counted.all, held, launches, counted.peak_bytes)
