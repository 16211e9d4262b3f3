"""What the parts of an optimisation promise each other: prior, scene, view, method.

Shapes are written ``(b 3 h w)``: ``b`` views of one batch; latents are ``(b c lh lw)``.  Colours are in
[0, 1].  Every batch dimension is real: no part may read element 0 on behalf of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from methods.cameras import Cameras

#: Independent random generators by name (``camera``, ``timestep``, ``noise``, ``init``, ``background``,
#: ``rays``, ``eval``).  Nothing in this project draws from a global generator.
Streams = Mapping[str, torch.Generator]

#: What a method learns beside the scene (VSD's LoRA and its optimiser), ``None`` for most.
State = Any


class Prior(Protocol):
    """A frozen text-to-image diffusion model, always spoken to in noise (epsilon) prediction."""

    alphas_cumprod: Tensor  # (T,), float32: alpha-bar of each training timestep
    guidance_scale: float  # calibrated on the prior's own 2D samples, the same for every method
    negative_prompt: str  # words for bad pictures that this prior knows
    resolution: int  # side in pixels of the square pictures it was trained on
    weights_sha256: str  # of all its files together; part of every cell's identity
    calls: int  # network evaluations so far (a batch counts once)
    rows: int  # batch rows evaluated so far

    def encode(self, rgb: Tensor) -> Tensor:
        """``(b 3 h w)`` colours in [0, 1] to latents ``(b c lh lw)``; gradients flow."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Latents ``(b c lh lw)`` to colours ``(b 3 h w)`` in [0, 1]."""
        ...

    def bound(self, latents: Tensor) -> Tensor:
        """Clean latents held within the range of pictures; a prior that has no such range returns them as they are."""
        ...

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Texts to conditioning ``(b n d)``, cached by text."""
        ...

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Tensor) -> Tensor:
        """Noise in ``latents`` ``(b c lh lw)`` at integer ``timesteps`` ``(b,)``; gradients flow where asked for."""
        ...

    def adapted(self, rank: int, generator: torch.Generator) -> AdaptedPrior:
        """A copy that can be trained and predicts what the prior does at first; ``rank`` is its adapters'."""
        ...


class AdaptedPrior(Protocol):
    """A trainable copy of a prior that also sees the camera; the prior it was made from stays as it was."""

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """What is trained, by name."""
        ...

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Tensor, cameras: Tensor) -> Tensor:
        """As the prior's, with gradients; ``cameras`` ``(b 16)`` are camera-to-world matrices, zeros for any camera."""
        ...


class Rendering(NamedTuple):
    """What a scene shows to a batch of cameras."""

    rgb: Tensor | None  # (b 3 h w), composited over the background; None where ``latents`` are what is rendered
    opacity: Tensor  # (b 1 h w), in [0, 1]
    depth: Tensor  # (b 1 h w), expected distance along the ray (world units), 0 where nothing is hit
    normals: Tensor | None = None  # (b 3 h w), unit world-space normals weighted by opacity; None if not asked for
    penalties: Mapping[str, Tensor] = MappingProxyType({})  # (b 1 h w) each, unweighted, of samples only the scene sees
    latents: Tensor | None = None  # (b c lh lw), of a scene that is optimised in latents


class Scene(Protocol):
    """What is optimised.  Implementations are ``torch.nn.Module``s."""

    def render(
        self,
        cameras: Cameras,
        *,
        resolution: int,
        background: Tensor,
        rays: torch.Generator | None = None,
        with_normals: bool = False,
    ) -> Rendering:
        """Render square pictures; ``background`` is ``(b 3)``; ``rays`` jitters samples, None for the mid-points."""
        ...

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups for a torch optimiser, each with ``params`` and ``lr``."""
        ...

    def regularisation(self, rendering: Rendering, progress: float) -> dict[str, Tensor]:
        """Weighted penalties by name, to be added to the method's loss."""
        ...

    def before_step(self, progress: float) -> None:
        """What changes over the optimisation (levels of an encoding, lighting), before a step at ``progress``."""
        ...

    def after_step(self, step: int, rays: torch.Generator) -> None:
        """Housekeeping after the optimiser's step ``step`` (occupancy grid)."""
        ...


@dataclass
class View:
    """A batch of renders as a method sees them."""

    rendering: Rendering
    cameras: Cameras
    prior: Prior

    @cached_property
    def rgb(self) -> Tensor:
        """``(b 3 h w)`` colours in [0, 1]; those of rendered latents are decoded once, on demand."""
        if self.rendering.rgb is not None:
            return self.rendering.rgb
        size = self.rendering.opacity.shape[-2:]
        return torch.nn.functional.interpolate(
            self.prior.decode(self.latents), size, mode="bilinear", antialias=True
        ).clamp(0, 1)

    @cached_property
    def latents(self) -> Tensor:
        """``(b c lh lw)``, as rendered, or else encoded once, on demand, with the gradient kept."""
        latents = self.rendering.latents
        return self.prior.encode(self.rgb) if latents is None else latents


class Perpendicular(NamedTuple):
    """Negative prompts of Perp-Neg, which count only where they are perpendicular to the positive one."""

    embeddings: Tensor  # (b k n d)
    weights: Tensor  # (b k), negative: away from them


class ViewPrompt(NamedTuple):
    """The prompt's conditioning for each view of a batch; each tensor is ``(b n d)``."""

    positive: Tensor  # the prompt with its view words ("…, back view")
    null: Tensor  # the empty prompt
    negative: Tensor  # the method's negative prompt; equals ``null`` where it has none
    plain: Tensor | None = None  # the prompt without view words; None where the caller has no such text
    perpendicular: Perpendicular | None = None  # the views it is not, for ``guided_prediction``; None without Perp-Neg


class Distillation(NamedTuple):
    """One step of a method.

    The gradient of ``loss`` with respect to the latents is the whole update, except for a method with a term on
    the picture itself (HiFA): that term's gradient goes to ``View.rgb``.
    """

    loss: Tensor  # scalar
    target: Tensor | None  # (b c lh lw), where the method pulls the latents, None if it has no such picture
    timestep: float  # the diffusion timestep used (0 … T−1), the mean over the batch, as the host has drawn it
    diagnostics: dict[str, Tensor]  # scalars to log, without a gradient


class Method(Protocol):
    """A distillation rule: a frozen dataclass whose fields are its hyper-parameters."""

    def calibrated(self, prior: Prior) -> Self:
        """The same method with guidance scales and negative prompt taken from the prior's card."""
        ...

    @property
    def negative_prompt(self) -> str:
        """Words the method steers away from, ``""`` for none."""
        ...

    def start(self, prior: Prior) -> State:
        """What it learns beside the scene."""
        ...

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; ``progress`` runs from 0 to 1 over the optimisation."""
        ...
