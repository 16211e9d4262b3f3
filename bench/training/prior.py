"""Train the toybox's text-to-image diffusion prior and write it in diffusers' folder format.

Pictures of 64 × 64 are written as 16 × 16 patches of 16 principal components (``PatchCodec``), so the network
works on 16 × 16 positions and no autoencoder has to be trained, shipped or differentiated through.

    python -m bench.training.prior

goes on from the last checkpoint in ``--work``; the folder of weights is written at the end.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

import methods.torchvision_mend  # noqa: F401  (before diffusers and transformers)

# isort: split
from diffusers import DDIMScheduler, UNet2DConditionModel
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from bench.training.dataset import RESOLUTION, ToyPictures, toy_pictures
from bench.training.loop import use_cpu
from methods.priors.patch_codec import PatchCodec
from methods.weights import read_card, write_card
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
_CODEC_PICTURES = 1500
_TIMESTEPS = 1000


@dataclass(frozen=True)
class Options:
    """How the prior is trained."""

    pictures: Path = Path(".cache/toybox-pictures")
    """Where the training pictures are kept."""
    work: Path = Path(".cache/train-prior")
    """Where checkpoints are kept; delete it to start anew."""
    out: Path = Path("methods/priors/weights/toybox")
    """The folder of weights to write."""
    start_from: Path | None = None
    """A folder of weights to go on from, with a fresh optimiser; None starts from the seed."""
    steps: int = 2300
    """Optimiser steps in all."""
    batch: int = 16
    """Pictures a step."""
    learning_rate: float = 7e-4
    """Of AdamW, falling linearly to zero."""
    seed: int = 0
    """Of the initialisation, the pictures' order and the noise."""
    threads: int = 2
    """CPU threads."""
    checkpoint_seconds: float = 180.0
    """Time between checkpoints."""


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
    """Training batches: latents of pictures and token numbers, each batch seeded by its step."""

    def __init__(self, pictures: ToyPictures, tokenizer: CLIPTokenizer, batch: int, seed: int) -> None:
        self._pictures, self._tokenizer, self._batch, self._seed = pictures, tokenizer, batch, seed
        self._seen = np.flatnonzero(~np.asarray(pictures.held_out))
        self._toys = all_objects()
        some = np.sort(np.random.default_rng(seed).choice(self._seen, _CODEC_PICTURES, replace=False))
        background = 0.5 + 0.5 * torch.rand(len(some), generator=torch.Generator().manual_seed(seed))
        self.codec = PatchCodec.fit(pictures.over(some, background), patch=_PATCH, channels=_CHANNELS)

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of a step; the same step gives the same batch."""
        rng = np.random.default_rng([self._seed, step])
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        index = np.sort(rng.choice(self._seen, self._batch, replace=False))
        background = 0.5 + 0.5 * torch.rand(self._batch, generator=generator)
        rgb = self._pictures.over(index, background)
        texts = []
        for row, picture in enumerate(index):
            quality = str(rng.choice(GOOD_WORDS)) if rng.random() < 0.08 else None
            if rng.random() < 0.08:
                kind = str(rng.choice(list(DEGRADATIONS)))
                quality = str(rng.choice(BAD_WORDS[kind]))
                rgb[row : row + 1] = DEGRADATIONS[kind](rgb[row : row + 1], rng.uniform(0.3, 1.0), generator)
            view = VIEWS[self._pictures.view[picture]] if rng.random() < 0.7 else None
            text = caption(self._toys[self._pictures.toy[picture]], rng=rng, view=view, quality=quality)
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


def train(options: Options) -> None:
    """Train, going on from a checkpoint if there is one, and write the folder of weights."""
    use_cpu(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    write_clip_tokenizer(options.work / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(options.work / "tokenizer")
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(options.seed)  # libraries initialise from the global one
        network = PriorNetwork(len(tokenizer), tokenizer.eos_token_id)
    if options.start_from is not None:
        network.unet.load_state_dict(load_file(options.start_from / "unet" / "diffusion_pytorch_model.safetensors"))
        network.text_encoder.load_state_dict(load_file(options.start_from / "text_encoder" / "model.safetensors"))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, betas=(0.9, 0.99), weight_decay=1e-3)
    step, losses = _resume(options.work, network, average, optimiser)
    batches = Batches(toy_pictures(options.pictures), tokenizer, options.batch, options.seed)
    alphas = scheduler().alphas_cumprod
    saved = time.monotonic()
    with _progress() as progress:
        task = progress.add_task("prior", total=options.steps, completed=step, loss=math.nan)
        while step < options.steps:
            for group in optimiser.param_groups:
                warm = min(1.0, (step + 1) / 200)
                group["lr"] = options.learning_rate * warm * max(1.0 - step / options.steps, 1e-2)
            loss = _step(network, optimiser, batches.draw(step), alphas, step, options.seed)
            step += 1
            losses.append(loss)
            decay = min(0.999, (1 + step) / (10 + step))
            with torch.no_grad():
                for name, value in network.state_dict().items():
                    if value.dtype.is_floating_point:
                        average[name].lerp_(value, 1 - decay)
            progress.update(task, completed=step, loss=float(np.mean(losses[-100:])))
            if time.monotonic() - saved > options.checkpoint_seconds or step == options.steps:
                _checkpoint(options.work, network, average, optimiser, step, losses)
                saved = time.monotonic()
                if not progress.console.is_terminal:
                    progress.console.print(f"step {step} loss {np.mean(losses[-200:]):.4f}")
    export(options, network, average, batches.codec, losses)


def _step(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batch: tuple[Tensor, Tensor],
    alphas: Tensor,
    step: int,
    seed: int,
) -> float:
    clean, tokens = batch
    generator = torch.Generator().manual_seed(seed * 2_000_003 + step)
    noise = torch.randn(clean.shape, generator=generator)
    # One timestep from each of equal slices of the range: less variance than independent draws.
    slices = (torch.arange(len(clean)) + torch.rand(len(clean), generator=generator)) / len(clean)
    timesteps = (slices * _TIMESTEPS).long()
    alpha = alphas[timesteps][:, None, None, None]
    noisy = (alpha.sqrt() * clean + (1 - alpha).sqrt() * noise).to(memory_format=torch.channels_last)
    # v-prediction: an error in predicted noise would be blown up √((1−ᾱ)/ᾱ)-fold in the clean picture, thirteenfold
    # at the noisy end, where a small network would spend itself on copying its input.
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
    loss = nn.functional.mse_loss(network(noisy, timesteps, tokens), velocity)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _checkpoint(
    work: Path,
    network: nn.Module,
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    step: int,
    losses: list[float],
) -> None:
    unfinished = work / "checkpoint.tmp"
    state = {
        "network": network.state_dict(),
        "average": average,
        "optimiser": optimiser.state_dict(),
        "step": step,
        "losses": losses,
    }
    torch.save(state, unfinished)
    unfinished.replace(work / "checkpoint.pt")


def _resume(
    work: Path, network: nn.Module, average: dict[str, Tensor], optimiser: torch.optim.Optimizer
) -> tuple[int, list[float]]:
    path = work / "checkpoint.pt"
    if not path.exists():
        return 0, []
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    average.update(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    return state["step"], state["losses"]


def export(
    options: Options, network: PriorNetwork, average: dict[str, Tensor], codec: PatchCodec, losses: list[float]
) -> None:
    """Write the averaged weights in half precision as a diffusers pipeline folder with its card."""
    network.load_state_dict(average)
    network.half().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    network.unet.save_pretrained(options.out / "unet")
    network.text_encoder.save_pretrained(options.out / "text_encoder")
    codec.save(options.out / "vae")
    write_clip_tokenizer(options.out / "tokenizer")
    scheduler().save_pretrained(options.out / "scheduler")
    index = {
        "_class_name": "DiffusionPipeline",
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["methods.priors.patch_codec", "PatchCodec"],
    }
    (options.out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    write_card(
        options.out,
        name="toybox prior",
        description="Text-conditional diffusion of 64 x 64 toybox pictures, 16 principal components a 4 x 4 patch.",
        script="python -m bench.training.prior, then python -m bench.training.calibrate",
        licence="MIT",
        parameters=sum(value.numel() for value in network.parameters()),
        seed=options.seed,
        started_from=None if options.start_from is None else read_card(options.start_from),
        steps=len(losses),
        batch=options.batch,
        data="toybox pictures, seed 0, held-out combinations left out, 8 % degraded with words that say so",
        final_training_loss=round(float(np.mean(losses[-500:])), 5),
    )
    Console().print(f"wrote {options.out}")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


if __name__ == "__main__":
    train(tyro.cli(Options))
