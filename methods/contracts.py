"""Contracts between the parts of an optimisation: prior, view, method, inversion strategy, timestep schedule.

Shapes are written ``(b 3 h w)``: ``b`` views of one batch; latents are ``(b c lh lw)``.  Colours are in [0, 1].  Every
batch dimension is real: no part may read element 0 on behalf of all.  The contract of scenes is
:mod:`methods.scenes.scene`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.conditioning import Conditioning
from methods.pixels import clamp_finite

#: Independent random generators by name (``camera``, ``timestep``, ``noise``, ``init``, ``background``,
#: ``rays``, ``eval``).  Nothing in this project draws from a global generator.
Streams = Mapping[str, torch.Generator]


#: Stands for the prompt in a negative prompt.
PROMPT = "{prompt}"


class MethodState(Protocol):
    """State that a method or a strategy keeps from step to step; the harness saves it in the cell's checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """The state as tensors, numbers, texts, lists and dictionaries of them."""
        ...

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Continue from what ``state_dict`` returned."""
        ...


#: The states of a method and its parts by name (VSD's ``lora``); empty for most.
State = Mapping[str, MethodState]


class Prior(Protocol):
    """A frozen text-to-image model, diffusion or rectified flow, always used through its noise (epsilon) prediction.

    Noisy latents are x_t = α_t x + σ_t ε with α_t² + σ_t² = 1, whatever form the network was trained in.
    """

    alphas_cumprod: (
        Tensor  # (T,), float32: α_t² of each timestep, σ_t² being 1 − α_t² (``methods.diffusion.noise_levels``)
    )
    guidance_scale: float  # calibrated on the prior's own 2D samples, the same for every method
    negative_prompt: str  # words for bad images that this prior knows
    resolution: int  # side in pixels of the square images it was trained on
    latent_shape: tuple[int, int, int]  # (c, lh, lw)
    weights_sha256: str  # hash of all its files together; part of every cell's identity
    calls: int  # network evaluations so far (a batch counts once)
    rows: int  # batch rows evaluated so far

    @property
    def device(self) -> torch.device:
        """The device that its networks run on."""
        ...

    def encode(self, rgb: Tensor) -> Tensor:
        """``(b 3 h w)`` colours in [0, 1] to latents ``(b c lh lw)``; gradients flow."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Latents ``(b c lh lw)`` to colours ``(b 3 h w)`` in [0, 1]."""
        ...

    def bound(self, latents: Tensor, *, inverting: bool = False) -> Tensor:
        """Clean latents moved into the range of images; a prior without such a range returns them unchanged.

        ``inverting`` says that they are within an inversion, which may be left out (``methods.diffusion.bounded``).
        """
        ...

    def embed(self, texts: Sequence[str]) -> Conditioning:
        """Texts to conditioning of ``b`` rows, cached by text."""
        ...

    def null(self, count: int) -> Conditioning:
        """The conditioning of ``count`` rows that stands for no prompt, in classifier-free guidance."""
        ...

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """Noise in ``latents`` ``(b c lh lw)`` at integer ``timesteps`` ``(b,)``; gradients flow where asked for."""
        ...

    def adapted(self, rank: int, generator: torch.Generator) -> AdaptedPrior:
        """A trainable copy with adapters of rank ``rank`` that predicts, before training, what the prior does."""
        ...


@runtime_checkable
class HoldsTensors(Protocol):
    """A further member of a prior that knows what it takes of its device."""

    def held_tensors(self) -> list[Tensor]:
        """The tensors that are in memory now: of its networks, and of its texts' conditioning."""
        ...


@runtime_checkable
class LimitedText(Protocol):
    """Further members of a prior whose text encoder reads a limited number of tokens."""

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that ``embed`` leaves out, never those of view words; 0 if the text fits."""
        ...


@runtime_checkable
class LargeTextEncoders(Protocol):
    """Further members of a prior whose text encoders are too large to keep while scenes are optimised."""

    def drop_text_encoders(self) -> None:
        """Free their memory, if they are not small; the next text that is new loads them again."""
        ...


class AdaptedPrior(Protocol):
    """A trainable copy of a prior that also sees the camera; the prior it was made from stays unchanged."""

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """The trained parameters by name."""
        ...

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, cameras: Tensor) -> Tensor:
        """As the prior's, with gradients; ``cameras`` ``(b 16)`` are camera-to-world matrices, zeros for any camera."""
        ...


class Rendering(NamedTuple):
    """The images of a batch of cameras."""

    rgb: Tensor | None  # (b 3 h w), composited over the background; None if the scene renders ``latents``
    opacity: Tensor  # (b 1 h w), in [0, 1]
    depth: Tensor  # (b 1 h w), expected distance along the ray (world units), 0 where no surface is hit
    normals: Tensor | None = None  # (b 3 h w), unit world-space normals weighted by opacity; None if not asked for
    penalties: Mapping[str, Tensor] = MappingProxyType({})  # (b 1 h w) each, unweighted, by name
    latents: Tensor | None = None  # (b c lh lw), for a scene that is optimised in latents
    diagnostics: Mapping[str, float] = MappingProxyType({})  # scalars of the scene's own to log


@dataclass
class View:
    """A batch of renders, as methods and inversion strategies see them."""

    rendering: Rendering
    cameras: Cameras
    prior: Prior
    progress: float = 0.0  # from 0 to 1 over the optimisation

    @cached_property
    def rgb(self) -> Tensor:
        """``(b 3 h w)`` colours in [0, 1]; rendered latents are decoded once, on demand."""
        if self.rendering.rgb is not None:
            return self.rendering.rgb
        size = self.rendering.opacity.shape[-2:]
        with torch.enable_grad():
            image = self.prior.decode(self.latents)
            return clamp_finite(torch.nn.functional.interpolate(image, size, mode="bilinear", antialias=True))

    @cached_property
    def latents(self) -> Tensor:
        """``(b c lh lw)``, as rendered, or else encoded once, on demand, with the gradient kept.

        Also where a strategy that needs no gradient is the first to ask: the method asks after it.
        """
        if self.rendering.latents is not None:
            return self.rendering.latents
        with torch.enable_grad():
            return self.prior.encode(self.rgb)

    @property
    def clean(self) -> Tensor:
        """The latents ``(b c lh lw)`` without their gradient."""
        return self.latents.detach()


class Perpendicular(NamedTuple):
    """Negative prompts of Perp-Neg, of which only the part perpendicular to the positive one counts."""

    conditioning: tuple[Conditioning, ...]  # k negatives, each of b rows
    weights: Tensor  # (b k), negative: away from them

    def select(self, views: Tensor) -> Perpendicular:
        """Those of the views at ``views`` ``(k,)`` int64."""
        return Perpendicular(tuple(each[views] for each in self.conditioning), self.weights[views])


class ViewPrompt(NamedTuple):
    """The prompt's conditioning for each view of a batch, each of ``b`` rows."""

    positive: Conditioning  # the prompt with its view words ("…, back view")
    null: Conditioning  # no prompt
    negative: Conditioning  # the method's negative prompt; equals ``null`` if it has none
    plain: Conditioning | None = None  # the prompt without view words; None if the caller has no such text
    perpendicular: Perpendicular | None = None  # the other views, for ``guided_prediction``; None without Perp-Neg
    rescale: float = 0.0  # φ of ``guide``: how much of the guided image's deviation is that of the conditional one

    @property
    def without_view(self) -> Conditioning:
        """The prompt without view words if there is such a text, else with them."""
        return self.positive if self.plain is None else self.plain

    def select(self, views: Tensor) -> ViewPrompt:
        """The conditioning of the views at ``views`` ``(k,)`` int64."""
        return ViewPrompt(
            positive=self.positive[views],
            null=self.null[views],
            negative=self.negative[views],
            plain=None if self.plain is None else self.plain[views],
            perpendicular=None if self.perpendicular is None else self.perpendicular.select(views),
            rescale=self.rescale,
        )


class Distillation(NamedTuple):
    """One update of a method.

    The gradient of ``loss`` with respect to the latents is the whole update, except for a method with a term on
    the image itself (HiFA): that term's gradient goes to ``View.rgb``.
    """

    loss: Tensor  # scalar
    target: Tensor | None  # (b c lh lw), the clean latents that the method pulls towards; None if it has none
    timesteps: Tensor  # (b,), the diffusion timesteps used (0 … T−1), on the host
    noise: Tensor | None = None  # (b c lh lw), the noise κ in x_t; None if the method has no such noise
    prediction: Tensor | None = None  # (b c lh lw), the noise that the prior predicted at x_t; None without ``noise``
    diagnostics: Mapping[str, Tensor] = MappingProxyType({})  # scalars of the method's own to log, without a gradient


@dataclass(frozen=True)
class Component:
    """A method or a part of one: a frozen dataclass whose fields are its hyper-parameters."""

    guidance_fields: ClassVar[tuple[str, ...]] = ("guidance_scale",)
    """Names of the fields that are guidance scales; a name without such a field is ignored."""

    later_fields: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that came after the first records; at their default they are no part of a cell's settings, so
    that a cell without them keeps its identity."""

    def calibrated(self, prior: Prior) -> Self:
        """A copy with guidance scales and negative prompt taken from the prior's card, in its parts too.

        A negative prompt with ``{prompt}`` in it stays: it says how a bad image of the prompt is described.
        """
        own = {field.name for field in fields(self)}
        changes: dict[str, Any] = dict.fromkeys(own.intersection(self.guidance_fields), prior.guidance_scale)
        if "negative_prompt" in own and PROMPT not in getattr(self, "negative_prompt", ""):
            changes["negative_prompt"] = prior.negative_prompt
        return replace(self, **changes, **{name: part.calibrated(prior) for name, part in self.parts().items()})

    def start(self, prior: Prior) -> dict[str, MethodState]:
        """The states that it keeps from step to step, by name, including those of its parts.

        Raises:
            ValueError: If two parts have states with the same name.
        """
        states: dict[str, MethodState] = {}
        for part in self.parts().values():
            for name, state in part.start(prior).items():
                if name in states:
                    raise ValueError(f"two parts of {type(self).__name__} have states with the same name {name!r}")
                states[name] = state
        return states

    def parts(self) -> dict[str, Component]:
        """The parts among its settings, by the name of the field."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, Component)}


class TimestepSchedule(Component, ABC):
    """A rule that draws or anneals the diffusion timestep over an optimisation.

    Fields are fractions of T, which mean the same noise on our priors of both kinds, or times of a rectified flow.
    """

    @abstractmethod
    def __call__(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> Tensor:
        """``(count,)`` timesteps in 0 … T−1, on the host, at ``progress`` in [0, 1]."""


class InversionStrategy(Component, ABC):
    """Infers the noise κ that the clean latents of a view came from."""

    @abstractmethod
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
        """κ ``(b c lh lw)`` for ``view.clean``, without a gradient.

        Args:
            view: The batch of renders.
            timesteps: ``(b,)``, where κ will be used, on the host.
            prior: The diffusion prior.
            prompt: The conditioning.
            streams: Random generators by name.
            state: What the strategy keeps from step to step.
            until: ``(b,)``, where κ is inferred (SDI's t + τ), on the host; None infers it at ``timesteps``.
        """


class Method(Component, ABC):
    """A distillation rule."""

    @property
    def negative_prompt(self) -> str:
        """Words that the method steers away from, "" for none; ``{prompt}`` in it stands for the prompt.

        A method that has them declares a field of this name.
        """
        return ""

    def negative_text(self, prompt: str) -> str:
        """The negative prompt of ``prompt``, "" for none."""
        return self.negative_prompt.replace(PROMPT, prompt)

    @abstractmethod
    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; ``progress`` runs from 0 to 1 over the optimisation."""
