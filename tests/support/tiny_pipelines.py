"""Tiny pipelines of random weights, written by diffusers' own pipeline objects, and their denoising step by step."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    IFPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from torch import Tensor
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from prompts.toybox import write_clip_tokenizer

#: Noise levels of Stable Diffusion, without anything that a sampler adds.
BETAS: dict[str, Any] = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "set_alpha_to_one": False,
}  # fmt: skip
#: Those of DeepFloyd IF, which learned its variance.
COSINE: dict[str, Any] = {
    "beta_schedule": "squaredcos_cap_v2", "clip_sample": False, "set_alpha_to_one": False,
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


def tiny_autoencoder(seed: int = 2, **more: Any) -> AutoencoderTiny:
    """An ``AutoencoderTiny`` with latents of a quarter of the image's side."""
    return drawn(
        lambda: AutoencoderTiny(
            encoder_block_out_channels=(8, 8, 8), decoder_block_out_channels=(8, 8, 8), num_encoder_blocks=(1, 1, 1),
            num_decoder_blocks=(1, 1, 1), latent_channels=4, **more,
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


def t5(seed: int = 5, width: int = 16) -> T5EncoderModel:
    """A T5 text encoder of width ``width`` for :func:`t5_tokenizer`."""
    config = T5Config(
        vocab_size=64, d_model=width, d_kv=8, d_ff=32, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu",
        pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
    )  # fmt: skip
    return drawn(lambda: T5EncoderModel(config), seed)


def t5_tokenizer() -> T5TokenizerFast:
    """T5's kind of tokenizer with some words and all letters."""
    words = ["a", "red", "car", "blue", "duck", "back", "view", "front", "side", "blurry", "dark", "green", "horse"]
    pieces = ["<pad>", "</s>", "<unk>", *(f"▁{word}" for word in words), "▁", *"abcdefghijklmnopqrstuvwxyz,."]
    return T5TokenizerFast(vocab=[(piece, -float(index > 15)) for index, piece in enumerate(pieces)], extra_ids=0)


def deepfloyd_if(folder: Path) -> IFPipeline:
    """DeepFloyd IF's first stage: images of 16²."""
    unet = drawn(
        lambda: UNet2DConditionModel(
            sample_size=16, in_channels=3, out_channels=6, block_out_channels=(16, 32), layers_per_block=1,
            norm_num_groups=8, down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn", cross_attention_dim=16, attention_head_dim=8,
            encoder_hid_dim=16, addition_embed_type="text", addition_embed_type_num_heads=2, act_fn="gelu",
            resnet_time_scale_shift="scale_shift", time_embedding_act_fn="gelu",
        ),
        6,
    )  # fmt: skip
    pipe = IFPipeline(
        t5_tokenizer(), t5(), unet, DDIMScheduler(**COSINE), safety_checker=None, feature_extractor=None,
        watermarker=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    pipe.save_pretrained(folder)
    return pipe


def pixart(folder: Path) -> PixArtSigmaPipeline:
    """PixArt-Σ: images of 32², latents of 4 × 8²."""
    transformer = drawn(
        lambda: PixArtTransformer2DModel(
            sample_size=8, num_layers=2, patch_size=2, attention_head_dim=8, num_attention_heads=2,
            caption_channels=16, cross_attention_dim=16, in_channels=4, out_channels=8, attention_bias=True,
            use_additional_conditions=False,
        ),
        7,
    )  # fmt: skip
    pipe = PixArtSigmaPipeline(t5_tokenizer(), t5(), autoencoder(), transformer, DDIMScheduler(**BETAS))
    pipe.set_progress_bar_config(disable=True)
    pipe.save_pretrained(folder)
    return pipe


def change(folder: Path, file: str, **fields: object) -> None:
    """Change fields of a JSON file of a pipeline."""
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


class Walk(NamedTuple):
    """The path of a sampler; each tensor is ``(b c lh lw)``."""

    start: Tensor
    latents: list[Tensor]  # after each step
    calls: int  # of the network


def walk(pipe: Any, prompts: list[str], start: Tensor, scale: float = SCALE, **given: Any) -> Walk:
    """The latents of diffusers' pipeline after each of its steps with DDIM, under ``prompts``.

    What the scheduler's ``step`` returns is kept: not every pipeline has a callback.
    """
    network, latents, calls = getattr(pipe, "unet", None) or pipe.transformer, [], []
    handle = network.register_forward_hook(lambda *_: calls.append(1))
    step = pipe.scheduler.step

    def keep(*given: Any, **more: Any) -> Any:
        found = step(*given, **more)
        latents.append(found[0].clone())
        return found

    pipe.scheduler.step = keep
    if isinstance(pipe, IFPipeline):  # which has no way to give it noise, and asks a DDPM's setting
        pipe.scheduler.register_to_config(variance_type="fixed_small")
        pipe.prepare_intermediate_images = lambda *_: start.clone()
    else:
        given |= {"latents": start.clone()}
    with torch.no_grad():
        pipe(prompts, num_inference_steps=STEPS, guidance_scale=scale, output_type="pt", **given)
    pipe.scheduler.step = step
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
