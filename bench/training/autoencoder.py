"""Train a small KL autoencoder on toybox images: the latent prior's codec, learnt as Stable Diffusion's is.

    python -m bench.training.autoencoder
    python -m bench.training.prior --autoencoder .cache/toybox-autoencoder --precision bfloat16

The patch codec of the other toybox priors is linear, so that their gradients reach the image undistorted.  Through
this encoder they do not, which is the part of latent priors that the others hide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

import methods.torchvision_shim  # noqa: F401  (before diffusers)

# isort: split
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from rich.console import Console
from torch import Tensor, nn

from bench.training.dataset import RESOLUTION, ToyImages, toy_images
from bench.training.loop import train, use_cpu
from methods.priors.pipeline.networks import save_network

_CHANNELS = 8
_KL = 1e-6  # weight of the divergence, a mean over latents: at 1e-4 one axis of colour was lost
_PIXELS, _CHROMA, _PATCHES = 4.0, 8.0, 2.0  # weights of the squares, of their part in chroma, and of its mean by patch
_SCALED_BY = 800  # images whose latents give the scaling factor
_HELD_OUT = 200  # images of the printed error


@dataclass(frozen=True)
class Options:
    """Settings of the autoencoder's training."""

    images: Path = Path(".cache/toybox-images")
    """Folder of the training images."""
    work: Path = Path(".cache/train-autoencoder")
    """Folder of the checkpoints; delete it to start from the beginning."""
    out: Path = Path(".cache/toybox-autoencoder")
    """The folder in which ``vae`` is written, in diffusers' format."""
    steps: int = 4000
    """Optimiser steps in all."""
    batch: int = 16
    """Images a step."""
    learning_rate: float = 1e-3
    """Highest learning rate of AdamW."""
    seed: int = 0
    """Seed of the initialisation, the images' order and the posterior's samples."""
    threads: int = 2
    """CPU threads."""


def network() -> AutoencoderKL:
    """An autoencoder of Stable Diffusion's kind: 64 × 64 pixels to 16 × 16 positions of eight channels.

    All channels are normalised together: by groups, as Stable Diffusion's are, two channels of the first layer lose
    their difference, and colours are learnt much later.
    """
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=_CHANNELS,
        norm_num_groups=1,
        sample_size=RESOLUTION,
        mid_block_add_attention=False,
    )


class Reconstruction:
    """The loss of a step: squared error, absolute error of the differences to neighbours, and the divergence.

    A wrong hue is a small part of an absolute error, and is left as it is for thousands of steps; so the squared
    error of the chroma (a pixel's colours less their mean) counts again, at each pixel and in the mean of a patch.

    The network computes in bfloat16, which takes .6 of float32's time where a CPU has instructions for it.
    """

    def __init__(self, images: ToyImages, batch: int, seed: int) -> None:
        self._images, self._batch, self._seed = images, batch, seed
        self._seen = np.flatnonzero(~np.asarray(images.held_out))

    def __call__(self, autoencoder: AutoencoderKL, step: int) -> Tensor:
        """A scalar; the same step gives the same batch and the same samples."""
        rng = np.random.default_rng([self._seed, step])
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        index = np.sort(rng.choice(self._seen, self._batch, replace=False))
        rgb = 2 * self._images.over(index, 0.5 + 0.5 * torch.rand(self._batch, generator=generator)) - 1
        with torch.autocast("cpu", torch.bfloat16):
            moments = autoencoder.encode(rgb).latent_dist.parameters
            posterior = DiagonalGaussianDistribution(moments.float())
            said = autoencoder.decode(posterior.sample(generator)).sample.float()
        pixels = _PIXELS * nn.functional.mse_loss(said, rgb)
        hue, said_hue = chroma(rgb), chroma(said)
        colours = _CHROMA * nn.functional.mse_loss(said_hue, hue)
        pooled, said_pooled = (nn.functional.avg_pool2d(hues, 4) for hues in (hue, said_hue))
        patches = _PATCHES * nn.functional.l1_loss(said_pooled, pooled)
        edges = sum(nn.functional.l1_loss(said.diff(dim=axis), rgb.diff(dim=axis)) for axis in (2, 3))
        divergence = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean()
        return pixels + colours + patches + edges + _KL * divergence


def chroma(rgb: Tensor) -> Tensor:
    """``(b 3 h w)`` less the mean of each pixel's three colours."""
    return rgb - rgb.mean(dim=1, keepdim=True)


@torch.no_grad()
def deviation_of_latents(autoencoder: AutoencoderKL, images: ToyImages) -> float:
    """The root mean square of the latents of training images, whose inverse is the scaling factor."""
    seen = np.flatnonzero(~np.asarray(images.held_out))
    index = np.sort(np.random.default_rng(0).choice(seen, _SCALED_BY, replace=False))
    squares = []
    for some in np.array_split(index, len(index) // 20):
        rgb = 2 * images.over(some, torch.full((len(some),), 0.75)) - 1
        squares.append(autoencoder.encode(rgb).latent_dist.mean.square().mean())
    return float(torch.stack(squares).mean().sqrt())


@torch.no_grad()
def peak_signal_to_noise(autoencoder: AutoencoderKL, images: ToyImages) -> float:
    """PSNR in dB of images of objects that were kept from training, encoded and decoded."""
    held = np.flatnonzero(np.asarray(images.held_out))
    index = np.sort(np.random.default_rng(1).choice(held, _HELD_OUT, replace=False))
    errors = []
    for some in np.array_split(index, len(index) // 20):
        rgb = images.over(some, torch.full((len(some),), 0.75))
        said = (autoencoder.decode(autoencoder.encode(2 * rgb - 1).latent_dist.mean).sample + 1) / 2
        errors.append((said.clamp(0, 1) - rgb).square().mean())
    return -10 * math.log10(float(torch.stack(errors).mean()))


def main(options: Options) -> None:
    """Train, going on from a checkpoint if there is one, and write the folder of weights."""
    use_cpu(options.threads)
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(options.seed)  # diffusers initialises from the global one
        autoencoder = network()
    images = toy_images(options.images)
    loss = Reconstruction(images, options.batch, options.seed)
    train(
        autoencoder,
        lambda step: loss(autoencoder, step),
        steps=options.steps,
        learning_rate=options.learning_rate,
        work=options.work,
        settings={name: getattr(options, name) for name in ("steps", "batch", "learning_rate", "seed")},
        averaging=0.999,
    )
    autoencoder.register_to_config(scaling_factor=1 / deviation_of_latents(autoencoder, images))
    Console().print(f"PSNR of held-out objects: {peak_signal_to_noise(autoencoder, images):.2f} dB")
    save_network(autoencoder.half(), options.out / "vae")
    Console().print(f"wrote {options.out}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
