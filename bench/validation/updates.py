"""The size of each method's update of one fixed image, which a wrong scale, sign or schedule would change."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch

from bench.cells.streams import make_streams
from bench.study.cell import Cell
from bench.study.resolve import cell_method
from bench.validation.result import Check
from methods.cameras import evaluation_ring
from methods.contracts import Method, Prior, Rendering, View, ViewPrompt
from methods.diffusion.noise_levels import log_snr_on_host
from methods.diffusion.schedules.linear import Linear
from prompts.toybox import ToyObject, render_object

#: Where the updates are measured: t as a fraction of T, or progress for a method with timesteps of its own.
PLACES = (0.1, 0.3, 0.5, 0.7, 0.9)


def check_updates(cells: Sequence[Cell], prior: Prior) -> Check:
    """Measure the root mean square of each arm's update in the latents of a render of the toybox.

    Args:
        cells: A cell of each arm; its prompt is not used.
        prior: The diffusion prior.
    """
    camera = evaluation_ring(1)
    rays = camera.rays(2 * prior.resolution)
    toy = render_object(ToyObject("duck", "blue", "plain"), rays.origins[0], rays.directions[0])
    rgb, opacity = toy.over(1.0)[None].to(prior.device), toy.opacity[None].to(prior.device)
    cameras = camera.to(prior.device)
    prompt = ViewPrompt(
        positive=prior.embed(["a blue duck, front view"]), null=prior.null(1), negative=prior.null(1),
        plain=prior.embed(["a blue duck"]),
    )  # fmt: skip
    values: dict[str, float | str | None] = {}
    levels = log_snr_on_host(prior.alphas_cumprod)
    for cell in cells:
        for place in PLACES:
            method, progress, where = _at(cell_method(cell), place)
            view = View(Rendering(rgb.clone().requires_grad_(), opacity, opacity), cameras, prior)
            streams = make_streams(0, "validation")
            state = method.start(prior)
            out = method(view, prior=prior, prompt=prompt, progress=progress, streams=streams, state=state)
            (gradient,) = torch.autograd.grad(out.loss, view.latents)
            t = float(out.timesteps.float().mean()) / len(prior.alphas_cumprod)
            snr = float(levels[out.timesteps.cpu().long()].mean())
            size = float(gradient.square().mean().sqrt())
            values[f"{cell.label} at {where}t = {t:.2f} (log-SNR {snr:+.1f})"] = size if math.isfinite(size) else None
    wrong = [name for name, size in values.items() if not size]
    note = "root mean square of the update in the latents of one fixed render; right: positive and finite"
    return Check(passed=not wrong, note=note + "".join(f"; {name} is not" for name in wrong), values=values)


def _at(method: Method, place: float) -> tuple[Method, float, str]:
    """The method with a constant timestep and half of its progress, or itself at a progress, and words for the latter.

    A method with timesteps of its own may draw the same one at two progresses.
    """
    if any(field.name == "schedule" for field in dataclasses.fields(method)):
        constant: Method = dataclasses.replace(method, schedule=Linear(place, place))  # type: ignore[call-arg]
        return constant, 0.5, ""
    return method, 1 - place, f"progress {1 - place:.1f}, "
