"""The optimisation loop of a cell, one step at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from bench.cells.initial_scene import initial_scene
from bench.cells.streams import make_streams
from bench.cells.update_check import check_state, check_update
from bench.study.cell import Cell
from bench.study.resolve import cell_method
from bench.watch.divergence import Divergence, Watch
from bench.watch.global_generators import no_global_draws
from bench.watch.step_clock import StepClock
from bench.watch.telemetry import Event
from bench.watch.timed_prior import timed
from methods.cameras import VIEW_WORDS, Cameras, sample_cameras, view_words, with_view
from methods.contracts import PROMPT, Distillation, LargeTextEncoders, Prior, Rendering, View, ViewPrompt
from methods.diffusion.bounded import with_bound
from methods.diffusion.noise_levels import log_snr_on_host
from methods.diffusion.perp_neg import PerpNeg
from methods.distillation import clamp_update
from methods.inversion import fixed_point_error
from methods.transfer import to_device


class Step(NamedTuple):
    """The outcome of one optimisation step."""

    event: Event
    divergence: Divergence | None


class Optimisation:
    """The scene of a cell, its method, optimiser and streams; iterating takes the steps one by one.

    Args:
        cell: The cell.
        prior: Its diffusion prior.
        clock: Accumulates the time of the steps by part; by default a new one.
    """

    def __init__(self, cell: Cell, prior: Prior, clock: StepClock | None = None) -> None:
        self.cell = cell
        self.prior = prior
        self.device = prior.device
        self.clock = clock or StepClock(self.device)
        self._timed_prior = timed(with_bound(prior, cell.bound), self.clock)  # for the method
        self.streams = make_streams(cell.seed, cell.prompt_id)
        self.watch = Watch(cell.divergence)
        self.method = cell_method(cell)
        self.scene = initial_scene(cell).build(prior, self.streams["init"]).to(self.device)
        with no_global_draws(f"the method {cell.method}", self.device):
            self.state = self.method.start(self._timed_prior)
        for name, state in self.state.items():
            check_state(name, state.state_dict())
        self.optimiser = self._make_optimiser()
        prior.null(1)  # these now, since large text encoders are not kept while the scene is optimised
        prior.embed(self.texts())
        if isinstance(prior, LargeTextEncoders):  # only the first arm of a prompt needs them: they are not its memory
            prior.drop_text_encoders()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        self.done = 0  # steps
        self._log_snr = log_snr_on_host(prior.alphas_cumprod)  # read here, so that no step waits for it
        self._kept = self._parameters()

    def __iter__(self) -> Iterator[Step]:
        patience = self.cell.divergence.patience
        while self.done < self.cell.steps:
            event, divergence = self.step(self.done)
            self.done += 1
            if divergence is None and self.done % patience == 0:
                before, self._kept = self._kept, self._parameters()
                change = relative_change(before, self._kept)
                divergence = None if change is None else self.watch.observe_change(event.step, change)
            yield Step(event, divergence)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next steps depend on."""
        return {
            "step": self.done,
            "scene": self.scene.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "method": {name: check_state(name, state.state_dict()) for name, state in self.state.items()},
            "streams": {name: stream.get_state() for name, stream in self.streams.items()},
            "watch": self.watch.state_dict(),
            "kept": self._kept,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the state of another loop of the same cell; on a CPU, to the same bits."""
        self.done = state["step"]
        self.scene.resize(state["scene"])
        self.scene.load_state_dict(state["scene"])
        self.optimiser = self._make_optimiser()
        self.optimiser.load_state_dict(state["optimiser"])
        for name, kept in self.state.items():
            kept.load_state_dict(state["method"][name])
        for name, stream in self.streams.items():
            stream.set_state(state["streams"][name])
        self.watch.load_state_dict(state["watch"])
        self._kept = {name: value.to(self.device) for name, value in state["kept"].items()}

    def step(self, step: int) -> Step:
        """Take step number ``step`` of the optimisation."""
        start, calls, rows = time.perf_counter(), self.prior.calls, self.prior.rows
        self.clock.start_step()
        progress = step / max(1, self.cell.steps - 1)
        self.scene.before_step(progress)
        cameras = sample_cameras(self.cell.cameras.at(progress), self.cell.views_per_step, self.streams["camera"])
        resolution = self.cell.render.resolution_at(progress)
        with self.clock.part("render"):
            rendering = self._render(cameras, resolution)
        update, penalty = self._losses(rendering, cameras, progress)
        self.optimiser.zero_grad(set_to_none=True)
        with self.clock.part("backward"):
            (update.loss + penalty).backward()
        with self.clock.part("optimiser"):
            self.optimiser.step()
            self.scene.after_step(step, self.optimiser, self.streams["rays"])
        # before the host waits: a device works on meanwhile
        reachable = reach(self.scene.bounding_radius, cameras, resolution)
        # one transfer for all numbers of a step: reading a number waits for the device
        diagnostics = self._diagnose(update)
        numbers = [update.loss, penalty, rendering.opacity.mean(), self._parameter_sum(), *diagnostics.values()]
        loss, regularisation, opacity, parameter_sum, *values = torch.stack(numbers).tolist()
        broken = [] if math.isfinite(parameter_sum) else self._broken_parameters()
        filled = None if self.scene.is_opaque else opacity / reachable
        seconds = time.perf_counter() - start
        self.clock.end_step(seconds)
        event = Event(
            step=step,
            loss=finite(loss),
            regularisation=finite(regularisation),
            timestep=float(update.timesteps.float().mean()),
            log_snr=float(self._log_snr[update.timesteps.cpu().long()].mean()),
            opacity=finite(opacity),
            seconds=seconds,
            unet_calls=self.prior.calls - calls,
            unet_rows=self.prior.rows - rows,
            diagnostics={**dict(zip(diagnostics, map(finite, values), strict=True)), **rendering.diagnostics},
        )
        found = self.watch.observe(step, loss=loss + regularisation, opacity=opacity, filled=filled, broken=broken)
        return Step(event, found)

    def _diagnose(self, update: Distillation) -> dict[str, torch.Tensor]:
        """The scalars to log: the error of κ in eq. 8, for methods that have a κ, and the method's own."""
        if update.noise is None or update.prediction is None:
            return dict(update.diagnostics)
        error = fixed_point_error(self.prior, update.prediction, update.noise, update.timesteps)
        return {"fixed_point_error": error, **update.diagnostics}

    def _losses(self, rendering: Rendering, cameras: Cameras, progress: float) -> tuple[Distillation, torch.Tensor]:
        """The method's update and the sum of the scene's penalties."""
        view = View(rendering, cameras, self._timed_prior, progress)
        with no_global_draws(f"the method {self.cell.method}", self.device):
            update = self.method(
                view,
                prior=self._timed_prior,
                prompt=self.embed(cameras),
                progress=progress,
                streams=self.streams,
                state=self.state,
            )
        update = check_update(update, (len(cameras), *self.prior.latent_shape), len(self._log_snr))
        largest = self.cell.update_clamp_at(progress)
        if largest is not None:
            clamp_update(view.latents, largest)
        penalties = self.scene.regularisation(rendering, progress)
        penalty = sum(penalties.values(), start=torch.zeros((), device=self.device))
        if penalties and self.cell.penalties == "relative":
            penalty = penalty * update_size(update.loss, view)
        return update, penalty

    def _render(self, cameras: Cameras, resolution: int) -> Rendering:
        low, high = self.cell.render.background
        grey = low + (high - low) * torch.rand(len(cameras), 1, generator=self.streams["background"])
        return self.scene.render(
            cameras.to(self.device),
            resolution=resolution,
            background=to_device(grey.expand(-1, 3), self.device),
            generator=self.streams["rays"],
            training=True,
        )

    def texts(self) -> list[str]:
        """Every text that a step may ask the prior to embed, the empty one aside."""
        prompt, negative = self.cell.prompt, self.method.negative_text(self.cell.prompt)
        found = [prompt, negative]
        if self.cell.view_prompts != "none":
            with_words = [prompt, negative] if PROMPT in self.method.negative_prompt else [prompt]
            found += [with_view(text, words) for text in with_words for words in VIEW_WORDS]
        return [text for text in found if text]

    def embed(self, cameras: Cameras) -> ViewPrompt:
        """The conditioning of each view, with the words of its side or Perp-Neg as the cell is set."""
        embed, count, prompt = self.prior.embed, len(cameras), self.cell.prompt
        null = self.prior.null(count)
        negative, perpendicular = [self.method.negative_text(prompt)] * count, None
        match self.cell.view_prompts:
            case "words":
                sides = view_words(cameras, self.cell.view_sector_deg)
                positive = embed([with_view(prompt, words) for words in sides])
                if PROMPT in self.method.negative_prompt:  # the same object, from the same side
                    negative = [with_view(text, words) for text, words in zip(negative, sides, strict=True)]
            case "perp_neg":
                positive, perpendicular = PerpNeg()(self.prior, prompt, cameras)
            case "none":
                positive = embed([prompt] * count)
        return ViewPrompt(
            positive=positive,
            null=null,
            negative=embed(negative) if any(negative) else null,
            plain=embed([prompt] * count),
            perpendicular=perpendicular,
            rescale=self.cell.guidance_rescale,
        )

    def _make_optimiser(self) -> torch.optim.Adam:
        settings = self.cell.optimiser
        return torch.optim.Adam(self.scene.parameter_groups(), betas=settings.betas, eps=settings.eps)

    def _parameter_sum(self) -> torch.Tensor:
        """The sum of all parameters: a number that is not finite if one of theirs is not."""
        zero = torch.zeros((), device=self.device)
        return sum((parameter.detach().sum().float() for parameter in self.scene.parameters()), start=zero)

    def _broken_parameters(self) -> list[str]:
        """Names of the parameters that hold a number that is not finite."""
        return [name for name, parameter in self.scene.named_parameters() if not parameter.isfinite().all()]

    def _parameters(self) -> dict[str, torch.Tensor]:
        return {name: parameter.detach().clone() for name, parameter in self.scene.named_parameters()}


def relative_change(before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]) -> float | None:
    """Relative change of the parameters (2-norm); None if one was added, removed or changed its shape."""
    shapes = [{name: value.shape for name, value in tensors.items()} for tensors in (before, after)]
    if shapes[0] != shapes[1]:
        return None
    moved = torch.cat([(after[name] - value).flatten() for name, value in before.items()]).norm()
    return float(moved / torch.cat([value.flatten() for value in before.values()]).norm().clamp_min(1e-30))


def update_size(loss: torch.Tensor, view: View) -> torch.Tensor:
    """The scale of relative penalties: latents in a view times the root mean square of the method's update.

    A penalty of weight 1 then changes a pixel as much as the update changes a latent, and a constant factor of a
    method's update (ISM's λ = 0.1) does not change how strongly its scene is regularised.
    """
    (gradient,) = torch.autograd.grad(loss, view.latents, retain_graph=True)
    update = gradient * len(gradient)  # losses are means over the batch
    return update.square().mean().sqrt() * update[0].numel()


def reach(radius: float | None, cameras: Cameras, resolution: int) -> float:
    """Share of the pixels whose ray meets the ball of ``radius`` around the scene: the greatest possible mean opacity.

    It is 1 for a scene without such a ball.
    """
    if radius is None:
        return 1.0
    rays = cameras.rays(resolution)  # on the CPU, so that the host does not wait for the device
    along = -(rays.origins * rays.directions).sum(-1)
    closest = (rays.origins + along[..., None].clamp_min(0.0) * rays.directions).norm(dim=-1)
    return max(float((closest < radius).float().mean()), 1e-6)


def finite(value: float) -> float | None:
    """``value``, or None for NaN and infinities, which JSON cannot represent."""
    return value if math.isfinite(value) else None
