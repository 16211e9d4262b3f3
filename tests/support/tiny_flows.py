"""Tiny rectified-flow pipelines of random weights, and their denoising step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from tiny_pipelines import SCALE, Walk, autoencoder, clip, clip_tokenizer, drawn, t5, t5_tokenizer
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from methods.conditioning import Conditioning
from methods.diffusion.noise_levels import flow_times

#: The timesteps of a walk.
PATH = (999, 979, 600, 250, 40)


def stable_diffusion_3(folder: Path) -> StableDiffusion3Pipeline:
    """Stable Diffusion 3: images of 32², latents of 4 × 8²."""
    transformer = drawn(
        lambda: SD3Transformer2DModel(
            sample_size=8, patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=4,
            joint_attention_dim=40, caption_projection_dim=32, pooled_projection_dim=12 + 10, out_channels=4,
            pos_embed_max_size=32,
        ),
        8,
    )  # fmt: skip
    scratch = folder.parent / f"{folder.name}-tokenizers"
    pipe = StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=clip(CLIPTextModelWithProjection, 3, projection_dim=12),
        tokenizer=clip_tokenizer(scratch / "1"),
        text_encoder_2=clip(CLIPTextModelWithProjection, 4, projection_dim=10),
        tokenizer_2=clip_tokenizer(scratch / "2", pad_token="a</w>"),  # noqa: S106, the second pads with "!"
        text_encoder_3=t5(width=40),
        tokenizer_3=t5_tokenizer(),
    )
    return _written(pipe, folder)


def flux(folder: Path, *, guidance_embeds: bool = True) -> FluxPipeline:
    """FLUX.1: images of 32², latents of 4 × 8² in 16 tokens."""
    transformer = drawn(
        lambda: FluxTransformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=16, guidance_embeds=guidance_embeds,
            axes_dims_rope=(4, 4, 8),
        ),
        9,
    )  # fmt: skip
    pipe = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=clip(CLIPTextModel, 3),
        tokenizer=clip_tokenizer(folder.parent / f"{folder.name}-tokenizer"),
        text_encoder_2=t5(),
        tokenizer_2=t5_tokenizer(),
        transformer=transformer,
    )
    return _written(pipe, folder)


def _written(pipe: Any, folder: Path) -> Any:
    for value in pipe.transformer.time_text_embed.parameters():  # not to depend on how a time of 928.4 is rounded
        value.data *= 0.1
    pipe.set_progress_bar_config(disable=True)
    pipe.save_pretrained(folder)
    pipe.folder = folder
    return pipe


def walk_flow(pipe: Any, prior: Any, prompts: list[str], start: Tensor, **given: Any) -> Walk:
    """The latents of diffusers' pipeline after each of its Euler steps along ``PATH``, from z = ``start``."""
    times = flow_times(prior.alphas_cumprod[list(PATH)]).tolist()
    latents, calls, step = [], [], pipe.scheduler.step
    handle = pipe.transformer.register_forward_hook(lambda *_: calls.append(1))

    def keep(*positional: Any, **more: Any) -> Any:
        found = step(*positional, **more)
        latents.append(found[0].clone())
        return found

    pipe.scheduler.step = keep
    with torch.no_grad():
        pipe(
            prompts, latents=start.clone(), sigmas=times, num_inference_steps=len(times), output_type="latent", **given
        )
    pipe.scheduler.step = step
    handle.remove()
    return Walk(start, latents, len(calls))


def walk_flow_of_prior(prior: Any, prompts: list[str], theirs: Walk, negative: list[str] | None) -> Walk:
    """The same steps by DDIM from the prior's noise in the variance-preserving form, each from where theirs began.

    In double precision: at the noisiest step the clean image is a thousandth of x_t, and the network's rounding is what
    is to be compared.  Not along a path of its own: a random network multiplies what rounding differs by.
    """
    against = prior.null(len(prompts)) if negative is None else prior.embed(negative)
    conditioning = Conditioning.cat([against, prior.embed(prompts)])
    alpha_bar = torch.cat([prior.alphas_cumprod[list(PATH)], torch.ones(1)]).double()
    alpha, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    path, calls = [], prior.calls
    for number, (t, z) in enumerate(zip(PATH, [theirs.start, *theirs.latents[:-1]], strict=True)):
        x = z.double() * (alpha[number] + sigma[number])
        with torch.no_grad():
            rows = prior.predict_noise(torch.cat([x] * 2), torch.full((2 * len(x),), t), conditioning)
        away, towards = rows.chunk(2)
        noise = away + SCALE * (towards - away)
        clean = (x - sigma[number] * noise) / alpha[number]
        x = alpha[number + 1] * clean + sigma[number + 1] * noise
        path.append(x / (alpha[number + 1] + sigma[number + 1]))
    return Walk(theirs.start, path, prior.calls - calls)


def assert_same_flow(ours: Walk, theirs: Walk) -> None:
    """Check that two paths agree to 1e-5 of their size after each step."""
    assert len(ours.latents) == len(theirs.latents) == len(PATH)
    for mine, right in zip(ours.latents, theirs.latents, strict=True):
        assert float((mine - right).abs().max()) <= 1e-5 * float(right.abs().max())
    assert float((ours.latents[-1] - ours.start).abs().max()) > 0.1
