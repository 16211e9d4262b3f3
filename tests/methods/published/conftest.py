"""Inputs that the published implementations were run on: a tiny random UNet under Stable Diffusion's noise schedule.

Every number comes from a seeded generator and none from a library's initialisation, so the golden files need to
hold the seeds only.  The published code drew its random numbers from the same generators as ours does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from methods.cameras import evaluation_ring
from methods.conditioning import Conditioning
from methods.contracts import Perpendicular, Rendering, Streams, View, ViewPrompt

GOLDEN = Path(__file__).parents[2] / "golden" / "published"
LATENTS = (4, 8, 8)
TOKENS = (5, 16)


def tiny_unet(seed: int) -> UNet2DConditionModel:
    """Two blocks of Stable Diffusion's UNet whose output has the size of noise and depends on the text."""
    unet = UNet2DConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=TOKENS[1],
        attention_head_dim=8,
        norm_num_groups=8,
    )
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(unet.named_parameters()):
        filled = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            filled = 0.1 * filled + ("norm" in name and name.endswith("weight"))
        else:
            filled = filled / parameter[0].numel() ** 0.5
        parameter.data.copy_(filled)
    return unet.requires_grad_(False).eval()


class TinyPrior:
    """The UNet as a prior whose images are the latents themselves."""

    guidance_scale = 7.5
    negative_prompt = ""
    resolution = 8
    latent_shape = LATENTS
    weights_sha256 = "none"
    device = torch.device("cpu")

    def __init__(self, unet: UNet2DConditionModel) -> None:
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
        self.alphas_cumprod = torch.cumprod(1 - betas, dim=0)
        self.unet = unet
        self.asked: list[int] = []  # the timesteps of the calls so far
        self.calls = 0
        self.rows = 0

    def encode(self, rgb: Tensor) -> Tensor:
        return rgb

    def decode(self, latents: Tensor) -> Tensor:
        return latents

    def bound(self, latents: Tensor, *, inverting: bool = False) -> Tensor:
        return latents

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        self.calls += 1
        self.rows += len(latents)
        self.asked.append(int(timesteps[0]))
        return self.unet(latents, timesteps, conditioning.sequence).sample


class Setting(NamedTuple):
    """The inputs of a golden case."""

    prior: TinyPrior
    view: View
    prompt: ViewPrompt
    streams: Streams


def make_setting(seeds: dict[str, int], batch: int, perp_neg_weights: list[list[float]] | None = None) -> Setting:
    """The inputs that a case's seeds, number of views and weights of Perp-Neg ``(b 2)`` stand for."""
    prior = TinyPrior(tiny_unet(seeds["unet"]))
    latents = torch.randn(batch, *LATENTS, generator=torch.Generator().manual_seed(seeds["latents"]))
    text = torch.randn(4 + batch, *TOKENS, generator=torch.Generator().manual_seed(seeds["text"]))
    null, negative, *others = (Conditioning(shared.expand(batch, -1, -1)) for shared in text[:4])
    perpendicular = None
    if perp_neg_weights is not None:
        perpendicular = Perpendicular(tuple(others), torch.tensor(perp_neg_weights))
    blank = torch.ones(batch, 1, *LATENTS[1:])
    view = View(Rendering(latents.requires_grad_(), blank, blank), evaluation_ring(batch), prior)
    streams = {name: torch.Generator().manual_seed(seeds[name]) for name in ("timestep", "noise")}
    prompt = ViewPrompt(Conditioning(text[4:]), null, negative, perpendicular=perpendicular)
    return Setting(prior, view, prompt, streams)


@pytest.fixture
def setting() -> Callable[[dict[str, Any]], Setting]:
    """A function that returns the inputs of a golden case."""
    return lambda case: make_setting(case["seeds"], case["batch"], case["perp_neg_weights"])


@pytest.fixture
def unet() -> Callable[[int], UNet2DConditionModel]:
    return tiny_unet


@pytest.fixture
def published() -> Callable[[str], dict[str, Any]]:
    """A function that reads ``tests/golden/published/<name>.json``."""
    return lambda name: json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def difference() -> Callable[[Tensor, dict[str, Any]], float]:
    """The norm of the difference between ours and a case's output, relative to the latter's."""

    def relative(ours: Tensor, case: dict[str, Any]) -> float:
        theirs = torch.tensor(case["output"]["values"]).reshape(case["output"]["shape"])
        return float((ours - theirs).norm()) / case["output"]["norm"]

    return relative
