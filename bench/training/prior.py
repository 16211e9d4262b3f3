"""Train the toybox's text-to-image diffusion prior and write it in diffusers' folder format.

Images of 64 × 64 are written as 16 × 16 patches of 16 principal components (``PatchCodec``), so the network
works on 16 × 16 positions and no autoencoder has to be trained, shipped or differentiated through.

    python -m bench.training.prior

goes on from the last checkpoint in ``--work``; the folder of weights is written at the end.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

import methods.torchvision_shim  # noqa: F401  (before diffusers and transformers)

# isort: split
from diffusers import DDIMScheduler, UNet2DConditionModel
from rich.console import Console
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from bench.training.dataset import RESOLUTION, ToyImages, toy_images
from bench.training.loop import train, use_cpu
from methods.atomic import replace_file
from methods.priors.pipeline.patch_codec import PatchCodec
from methods.weights import write_card
from prompts.toybox import (
    BAD_WORDS,
    CONTEXT_LENGTH,
    DEGRADATIONS,
    GOOD_WORDS,
    VIEWS,
    all_objects,
    caption,
    write_clip_tokenizer,
)

_PATCH, _CHANNELS = 4, 16
_CODEC_IMAGES = 1500
_TIMESTEPS = 1000
_AVERAGING = 0.999  # of the weights: samples of the average are cleaner than the last weights


@dataclass(frozen=True)
class Options:
    """Settings of the prior's training."""

    images: Path = Path(".cache/toybox-images")
    """Folder of the training images."""
    work: Path = Path(".cache/train-prior")
    """Folder of the checkpoints; delete it to start from the beginning."""
    out: Path = Path("methods/priors/weights/toybox")
    """The folder of weights to write."""
    steps: int = 10_000
    """Optimiser steps in all."""
    batch: int = 16
    """Images a step."""
    learning_rate: float = 7e-4
    """Highest learning rate of AdamW."""
    seed: int = 0
    """Seed of the initialisation, the images' order and the noise."""
    threads: int = 2
    """CPU threads."""


class PriorNetwork(nn.Module):
    """The denoiser and its text encoder, trained together."""

    def __init__(self, vocabulary: int, end_token: int) -> None:
        super().__init__()
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=vocabulary,
                hidden_size=128,
                intermediate_size=256,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT_LENGTH,
                bos_token_id=end_token - 1,
                eos_token_id=end_token,
                pad_token_id=end_token,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=RESOLUTION // _PATCH,
            in_channels=_CHANNELS,
            out_channels=_CHANNELS,
            block_out_channels=(64, 128),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=128,
            attention_head_dim=4,  # diffusers reads this as the number of heads
            norm_num_groups=16,
        )

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        return self.unet(noisy, timesteps, self.text_encoder(tokens).last_hidden_state).sample


class Batches:
    """Training batches: latents of images and token numbers, each batch seeded by its step."""

    def __init__(self, images: ToyImages, tokenizer: CLIPTokenizer, batch: int, seed: int) -> None:
        self._images, self._tokenizer, self._batch, self._seed = images, tokenizer, batch, seed
        self._seen = np.flatnonzero(~np.asarray(images.held_out))
        self._toys = all_objects()
        some = np.sort(np.random.default_rng(seed).choice(self._seen, _CODEC_IMAGES, replace=False))
        background = 0.5 + 0.5 * torch.rand(len(some), generator=torch.Generator().manual_seed(seed))
        self.codec = PatchCodec.fit(images.over(some, background), patch=_PATCH, channels=_CHANNELS)

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of a step; the same step gives the same batch."""
        rng = np.random.default_rng([self._seed, step])
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        index = np.sort(rng.choice(self._seen, self._batch, replace=False))
        background = 0.5 + 0.5 * torch.rand(self._batch, generator=generator)
        rgb = self._images.over(index, background)
        texts = []
        for row, image in enumerate(index):
            quality = str(rng.choice(GOOD_WORDS)) if rng.random() < 0.08 else None
            if rng.random() < 0.08:
                kind = str(rng.choice(list(DEGRADATIONS)))
                quality = str(rng.choice(BAD_WORDS[kind]))
                rgb[row : row + 1] = DEGRADATIONS[kind](rgb[row : row + 1], rng.uniform(0.3, 1.0), generator)
            view = VIEWS[self._images.view[image]] if rng.random() < 0.7 else None
            text = caption(self._toys[self._images.toy[image]], rng=rng, view=view, quality=quality)
            if quality in ("bad", "blurry", "noisy", "dull", "abstract") and rng.random() < 0.3:
                text = f"{quality} photo"
            texts.append("" if rng.random() < 0.1 else text)
        tokens = self._tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        return self.codec.encode(rgb), tokens


def scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise schedule."""
    return DDIMScheduler(
        num_train_timesteps=_TIMESTEPS,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
    )


def velocity_loss(
    network: nn.Module, batch: tuple[Tensor, Tensor], alphas: Tensor, generator: torch.Generator
) -> Tensor:
    """Mean squared error of the predicted velocity, at one timestep from each of equal slices of the schedule.

    v-prediction: an error in predicted noise would be blown up √((1−ᾱ)/ᾱ)-fold in the clean image, thirteenfold
    at the noisy end, where a small network would spend itself on copying its input.
    """
    clean, tokens = batch
    noise = torch.randn(clean.shape, generator=generator)
    slices = (torch.arange(len(clean)) + torch.rand(len(clean), generator=generator)) / len(clean)
    timesteps = (slices * len(alphas)).long()
    alpha = alphas[timesteps][:, None, None, None]
    noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
    return nn.functional.mse_loss(network(noisy, timesteps, tokens), velocity)


def main(options: Options) -> None:
    """Train, going on from a checkpoint if there is one, and write the folder of weights."""
    use_cpu(options.threads)
    write_clip_tokenizer(options.work / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(options.work / "tokenizer")
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(options.seed)  # libraries initialise from the global one
        network = PriorNetwork(len(tokenizer), tokenizer.eos_token_id)
    batches = Batches(toy_images(options.images), tokenizer, options.batch, options.seed)
    alphas = scheduler().alphas_cumprod
    train(
        network,
        lambda step: velocity_loss(
            network, batches.draw(step), alphas, torch.Generator().manual_seed(options.seed * 2_000_003 + step)
        ),
        steps=options.steps,
        learning_rate=options.learning_rate,
        work=options.work,
        settings={name: getattr(options, name) for name in ("steps", "batch", "learning_rate", "seed")},
        averaging=_AVERAGING,
    )
    export(options, network, batches.codec)


def export(options: Options, network: PriorNetwork, codec: PatchCodec) -> None:
    """Write the weights in half precision as a diffusers pipeline folder with its card."""
    network.half()
    network.unet.save_pretrained(options.out / "unet")
    network.text_encoder.save_pretrained(options.out / "text_encoder")
    for path in options.out.glob("*/*.safetensors"):  # which save_pretrained lets only their owner read
        with replace_file(path) as temporary:
            shutil.copyfile(path, temporary)
    codec.save(options.out / "vae")
    write_clip_tokenizer(options.out / "tokenizer")
    scheduler().save_pretrained(options.out / "scheduler")
    index = {
        "_class_name": "DiffusionPipeline",
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["methods.priors.pipeline.patch_codec", "PatchCodec"],
    }
    (options.out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    write_card(
        options.out,
        name="toybox prior",
        description="Text-conditional diffusion of 64 x 64 toybox images, 16 principal components per 4 x 4 patch.",
        script="python -m bench.training.prior, then python -m bench.training.calibrate",
        licence="MIT",
        parameters=sum(value.numel() for value in network.parameters()),
        seed=options.seed,
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        data="toybox images, seed 0, held-out combinations left out, 8 % degraded with words that say so",
    )
    Console().print(f"wrote {options.out}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
