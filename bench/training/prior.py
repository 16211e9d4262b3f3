"""Train the toybox's text-to-image diffusion prior and write it in diffusers' folder format.

Images of 64 × 64 are written as 16 × 16 patches of 16 principal components (``PatchCodec``), so the network
works on 16 × 16 positions and no autoencoder has to be trained, shipped or differentiated through.

    python -m bench.training.prior
    python -m bench.training.prior --objective flow
    python -m bench.training.prior --autoencoder .cache/toybox-autoencoder --precision bfloat16

The second trains the same network on the same images as a rectified flow, the third in the latents of a learnt
autoencoder (``bench.training.autoencoder``) in place of the patches'.  Each goes on from the last checkpoint in
``--work``; the folder of weights is written at the end.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro

import methods.torchvision_shim  # noqa: F401  (before diffusers and transformers)

# isort: split
from diffusers import AutoencoderKL, UNet2DConditionModel
from rich.console import Console
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from bench.training.dataset import RESOLUTION, ToyImages, toy_images
from bench.training.loop import train, use_cpu
from bench.training.objectives import OBJECTIVES, objective_loss
from methods.priors.pipeline.codec import Codec
from methods.priors.pipeline.networks import load_network, save_network
from methods.priors.pipeline.patch_codec import PatchCodec
from methods.priors.pipeline.vae_codec import VaeCodec
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
_NAMES = {"diffusion": "toybox", "flow": "toybox-flow"}
_FORMS = {16: "16 principal components per 4 x 4 patch", 8: "8 channels of a KL autoencoder per 4 x 4 pixels"}
_SCRIPTS = {
    "toybox": "python -m bench.training.prior, then bench.training.calibrate",
    "toybox-flow": "python -m bench.training.prior --objective flow, then bench.training.calibrate",
    "toybox-latent": "python -m bench.training.autoencoder, bench.training.prior --autoencoder --precision bfloat16, "
    "then calibrate",
}
_AVERAGING = 0.999  # of the weights: samples of the average are cleaner than the last weights


@dataclass(frozen=True)
class Options:
    """Settings of the prior's training."""

    images: Path = Path(".cache/toybox-images")
    """Folder of the training images."""
    objective: Literal["diffusion", "flow"] = "diffusion"
    """The corruption of the images: Stable Diffusion's noise schedule, or a straight line to noise."""
    autoencoder: Path | None = None
    """The folder of the KL autoencoder whose latents the prior is trained on; patches if not given."""
    work: Path | None = None
    """Folder of the checkpoints, ``.cache/train-NAME`` if not given; delete it to start from the beginning."""
    out: Path | None = None
    """The folder of weights to write; ``methods/priors/weights/NAME`` if not given."""
    steps: int = 10_000
    """Optimiser steps in all."""
    batch: int = 16
    """Images a step."""
    learning_rate: float = 7e-4
    """Highest learning rate of AdamW."""
    seed: int = 0
    """Seed of the initialisation, the images' order and the noise."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the network's matrix products; bfloat16 takes .7 of the time where a CPU has instructions for it."""
    threads: int = 2
    """CPU threads."""

    @property
    def name(self) -> str:
        """The prior's name."""
        return _NAMES[self.objective] + ("-latent" if self.autoencoder else "")

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.work or Path(".cache") / f"train-{self.name}"

    @property
    def weights(self) -> Path:
        """The folder of weights to write."""
        return self.out or Path("methods/priors/weights") / self.name


class PriorNetwork(nn.Module):
    """The denoiser and its text encoder, trained together."""

    def __init__(
        self, vocabulary: int, end_token: int, channels: int = _CHANNELS, *, in_bfloat16: bool = False
    ) -> None:
        super().__init__()
        self.in_bfloat16 = in_bfloat16
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
            in_channels=channels,
            out_channels=channels,
            block_out_channels=(64, 128),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=128,
            attention_head_dim=4,  # diffusers reads this as the number of heads
            norm_num_groups=16,
        )

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.in_bfloat16):
            return self.unet(noisy, timesteps, self.text_encoder(tokens).last_hidden_state).sample.float()


class Batches:
    """Training batches: latents of images and token numbers, each batch seeded by its step."""

    def __init__(self, images: ToyImages, codec: Codec, tokenizer: CLIPTokenizer, batch: int, seed: int) -> None:
        self._images, self._codec, self._tokenizer, self._batch, self._seed = images, codec, tokenizer, batch, seed
        self._seen = np.flatnonzero(~np.asarray(images.held_out))
        self._toys = all_objects()

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
        with torch.no_grad():
            return self._codec.encode(rgb), tokens


def fit_patches(images: ToyImages, seed: int) -> PatchCodec:
    """The principal components of the patches of some training images."""
    seen = np.flatnonzero(~np.asarray(images.held_out))
    some = np.sort(np.random.default_rng(seed).choice(seen, _CODEC_IMAGES, replace=False))
    background = 0.5 + 0.5 * torch.rand(len(some), generator=torch.Generator().manual_seed(seed))
    return PatchCodec.fit(images.over(some, background), patch=_PATCH, channels=_CHANNELS)


def main(options: Options) -> None:
    """Train, going on from a checkpoint if there is one, and write the folder of weights."""
    use_cpu(options.threads)
    write_clip_tokenizer(options.checkpoints / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(options.checkpoints / "tokenizer")
    images = toy_images(options.images)
    codec: VaeCodec | PatchCodec
    if options.autoencoder is None:
        codec = fit_patches(images, options.seed)
    else:
        codec = VaeCodec(
            load_network(AutoencoderKL, options.autoencoder / "vae", torch.float32).requires_grad_(False).eval()
        )
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(options.seed)  # libraries initialise from the global one
        network = PriorNetwork(
            len(tokenizer), tokenizer.eos_token_id, codec.channels, in_bfloat16=options.precision == "bfloat16"
        )
    batches = Batches(images, codec, tokenizer, options.batch, options.seed)
    objective = OBJECTIVES[options.objective]
    train(
        network,
        lambda step: objective_loss(
            objective, network, batches.draw(step), torch.Generator().manual_seed(options.seed * 2_000_003 + step)
        ),
        steps=options.steps,
        learning_rate=options.learning_rate,
        work=options.checkpoints,
        settings={
            "autoencoder": None if options.autoencoder is None else options.autoencoder.name,
            "precision": options.precision,
            **{name: getattr(options, name) for name in ("objective", "steps", "batch", "learning_rate", "seed")},
        },
        averaging=_AVERAGING,
    )
    export(options, network, codec)


def export(options: Options, network: PriorNetwork, codec: VaeCodec | PatchCodec) -> None:
    """Write the weights in half precision as a diffusers pipeline folder with its card."""
    network.half()
    save_network(network.unet, options.weights / "unet")
    save_network(network.text_encoder, options.weights / "text_encoder")
    if isinstance(codec, PatchCodec):
        codec.save(options.weights / "vae")
    elif options.autoencoder is not None:
        shutil.copytree(options.autoencoder / "vae", options.weights / "vae", dirs_exist_ok=True)
    write_clip_tokenizer(options.weights / "tokenizer")
    scheduler = OBJECTIVES[options.objective].scheduler()
    scheduler.save_pretrained(options.weights / "scheduler")
    index = {
        "_class_name": "DiffusionPipeline",
        "scheduler": ["diffusers", type(scheduler).__name__],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["methods.priors.pipeline.patch_codec", "PatchCodec"]
        if isinstance(codec, PatchCodec)
        else ["diffusers", "AutoencoderKL"],
    }
    (options.weights / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    write_card(
        options.weights,
        name=f"{options.name} prior",
        description=f"Text-conditional {options.objective} of 64 x 64 toybox images, {_FORMS[codec.channels]}.",
        script=_SCRIPTS[options.name],
        licence="MIT",
        parameters=sum(value.numel() for value in network.parameters()),
        seed=options.seed,
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        precision=options.precision,
        data="toybox images, seed 0, held-out combinations left out, 8 % degraded with words that say so",
    )
    Console().print(f"wrote {options.weights}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
