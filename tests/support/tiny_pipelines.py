"""Tiny pipelines of random weights, written by diffusers' own pipeline objects, and their denoising step by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from prompts.toybox import write_clip_tokenizer

#: Noise levels of Stable Diffusion, without anything that a sampler adds.
BETAS: dict[str, Any] = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "set_alpha_to_one": False,
}  # fmt: skip
SCALE = 3.0
STEPS = 4


def drawn(build: Callable[[], Any], seed: int) -> Any:
    """A network with weights from a separate generator, large enough that every layer has an effect."""
    with torch.random.fork_rng():
        network = build()
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.named_parameters():
        values = torch.randn(value.shape, generator=generator)
        fan_in = max(1, value[0].numel()) if value.ndim > 1 else 100
        value.data = values / fan_in**0.5 + ("norm" in name and name.endswith("weight"))
    return network.requires_grad_(requires_grad=False).eval()


def clip(kind: type, seed: int, **more: Any) -> Any:
    """A CLIP text encoder for the toybox's tokenizer, of 24 tokens and width 16."""
    config = CLIPTextConfig(
        vocab_size=231, hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
        max_position_embeddings=24, bos_token_id=229, eos_token_id=230, pad_token_id=230, hidden_act="gelu", **more,
    )  # fmt: skip
    return drawn(lambda: kind(config), seed)


def clip_tokenizer(folder: Path, **more: Any) -> CLIPTokenizer:
    """The toybox's tokenizer, by way of ``folder``."""
    write_clip_tokenizer(folder)
    return CLIPTokenizer.from_pretrained(folder, **more)


def autoencoder(seed: int = 2, **more: Any) -> AutoencoderKL:
    """An autoencoder with latents of a quarter of the image's side."""
    given = {"latent_channels": 4, "scaling_factor": 0.13025} | more
    return drawn(
        lambda: AutoencoderKL(
            block_out_channels=(8, 8, 16), layers_per_block=1, norm_num_groups=4, sample_size=32,
            down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3, **given,
        ),
        seed,
    )  # fmt: skip


def tiny_autoencoder(seed: int = 2) -> AutoencoderTiny:
    """An ``AutoencoderTiny`` with latents of a quarter of the image's side."""
    return drawn(
        lambda: AutoencoderTiny(
            encoder_block_out_channels=(8, 8, 8), decoder_block_out_channels=(8, 8, 8), num_encoder_blocks=(1, 1, 1),
            num_decoder_blocks=(1, 1, 1), latent_channels=4,
        ),
        seed,
    )  # fmt: skip


def sdxl(folder: Path, vae: Any = None, **more: Any) -> StableDiffusionXLPipeline:
    """Stable Diffusion XL: images of 32², latents of 4 × 8²; written to ``folder``, whose parent it may use."""
    unet = drawn(
        lambda: UNet2DConditionModel(
            sample_size=8, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=32, attention_head_dim=[2, 4], use_linear_projection=True,
            transformer_layers_per_block=[1, 2], addition_embed_type="text_time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=12 + 6 * 8,
        ),
        1,
    )  # fmt: skip
    scratch = folder.parent / f"{folder.name}-tokenizers"
    pipe = StableDiffusionXLPipeline(
        vae=vae or autoencoder(force_upcast=True),
        text_encoder=clip(CLIPTextModel, 3),
        text_encoder_2=clip(CLIPTextModelWithProjection, 4, projection_dim=12),
        tokenizer=clip_tokenizer(scratch / "1"),
        tokenizer_2=clip_tokenizer(scratch / "2", pad_token="a</w>"),  # noqa: S106, SDXL's second pads with "!"
        unet=unet,
        scheduler=DDIMScheduler(**BETAS),
        add_watermarker=False,
        **more,
    )
    pipe.set_progress_bar_config(disable=True)
    pipe.save_pretrained(folder)
    return pipe


class Walk(NamedTuple):
    """The path of a sampler; each tensor is ``(b c lh lw)``."""

    start: Tensor
    latents: list[Tensor]  # after each step
    calls: int  # of the network


def walk(pipe: Any, prompts: list[str], start: Tensor, scale: float = SCALE, **given: Any) -> Walk:
    """The latents of diffusers' pipeline after each of its steps with DDIM, under ``prompts``."""
    network, latents, calls = getattr(pipe, "unet", None) or pipe.transformer, [], []
    handle = network.register_forward_hook(lambda *_: calls.append(1))

    def keep(_pipe: Any, _step: int, _time: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
        latents.append(state["latents"].clone())
        return state

    with torch.no_grad():
        pipe(
            prompts, latents=start.clone(), num_inference_steps=STEPS, guidance_scale=scale, output_type="latent",
            callback_on_step_end=keep, **given,
        )  # fmt: skip
    handle.remove()
    return Walk(start, latents, len(calls))


def walk_of_prior(prior: Any, prompts: list[str], start: Tensor, negative: list[str] | None, scale: float) -> Walk:
    """The same path with the prior's noise in the two-line step of DDIM, from its own conditioning."""
    from methods.conditioning import Conditioning

    against = prior.null(len(prompts)) if negative is None else prior.embed(negative)
    conditioning = Conditioning.cat([against, prior.embed(prompts)])
    scheduler = DDIMScheduler(**BETAS)
    scheduler.set_timesteps(STEPS)
    latents, path, calls = start, [], prior.calls
    for t in scheduler.timesteps.tolist():
        times = torch.full((2 * len(start),), t)
        with torch.no_grad():
            away, towards = prior.predict_noise(torch.cat([latents] * 2), times, conditioning).chunk(2)
        noise = away + scale * (towards - away)
        alpha, before = prior.alphas_cumprod[t], prior.alphas_cumprod[max(t - 1000 // STEPS, 0)]
        clean = (latents - (1 - alpha).sqrt() * noise) / alpha.sqrt()
        latents = before.sqrt() * clean + (1 - before).sqrt() * noise
        path.append(latents)
    return Walk(start, path, prior.calls - calls)


def assert_same_walk(ours: Walk, theirs: Walk) -> None:
    """Check that two paths agree to 1e-5 of their size at each step, and took as many evaluations."""
    assert ours.calls == theirs.calls == STEPS
    assert len(ours.latents) == len(theirs.latents) == STEPS
    for mine, right in zip(ours.latents, theirs.latents, strict=True):
        assert float((mine - right).abs().max()) <= 1e-5 * float(right.abs().max())
    assert float((ours.latents[-1] - ours.start).abs().max()) > 0.1
