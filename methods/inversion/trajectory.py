"""The prior's own path from one noise, whatever the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.contracts import InversionStrategy, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import guided_prediction
from methods.diffusion.sampling import ddim_walk
from methods.inversion import strategies
from methods.inversion.fixed import first_noise
from methods.settings import require
from methods.transfer import to_device


@strategies.register("trajectory")
@dataclass(frozen=True)
class Trajectory(InversionStrategy):
    """κ = ε̂ at the point of the sampler's path from x_T = κ₀ ~ N(0, I), κ₀ drawn once for a run (arXiv 2412.06780).

    κ does not depend on the image, but on the prompt of its view: κ₀ chooses the sample that all views are drawn to.

    Raises:
        ValueError: If ``steps`` is not positive.
    """

    gamma: float = 7.5
    """Guidance scale of ε̂ along the path (``guidance_scale`` of ``configs/dsd.yaml``)."""
    steps: int = 10
    """Steps of a whole path (to t = 0); ``n_ddim_steps``."""

    guidance_fields: ClassVar = ("gamma",)

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "a positive number of steps")

    @torch.no_grad()
    def __call__(
        self,
        view: View,
        timesteps: Tensor,
        *,
        prior: Prior,
        prompt: ViewPrompt,
        streams: Streams,
        state: State,
        until: Tensor | None = None,
    ) -> Tensor:
        """κ ``(b c lh lw)``, predicted at ``until`` after a walk over the grid {T − 1, …} above it."""
        until = (timesteps if until is None else until).cpu()  # where methods draw them
        last = len(prior.alphas_cumprod) - 1
        grid = torch.linspace(last, 0, self.steps + 1).long()[:, None]
        noisy = ddim_walk(
            prior, first_noise(view.clean, streams["noise"]), grid.maximum(until), prompt, self.gamma
        ).noisy
        return guided_prediction(prior, noisy, to_device(until, noisy.device), prompt, self.gamma).noise
