"""Autoencoders of diffusers as codecs: Stable Diffusion's, and the tiny one that stands in for it."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

import methods.torchvision_shim  # noqa: F401  (before diffusers)

# isort: split
from diffusers import AutoencoderKL, AutoencoderTiny
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput

from methods.priors.pipeline.families.family import codec_factor
from methods.priors.pipeline.gradient_scale import through_half
from methods.priors.pipeline.settings import Posterior


class VaeCodec:
    """An autoencoder (arXiv 2112.10752), its latents shifted and scaled as the diffusion model was trained on them.

    The papers' released code takes a sample of the posterior (``latent_dist.sample()`` in threestudio).  The mode
    is the default here: the sample's noise is small, and without it an image has exactly one latent.  A sample's
    noise is drawn from a generator seeded by the image's own bits, so that it differs between images, and a cell's
    numbers depend neither on the cells before it nor on its batch (in which the network rounds differently).  An
    ``AutoencoderTiny`` has no posterior, and its latents are the same either way.

    Args:
        network: The frozen autoencoder, in the precision and on the device to run it with.
        posterior: The latents of the posterior that ``encode`` returns.
    """

    def __init__(self, network: AutoencoderKL | AutoencoderTiny, posterior: Posterior = "mode") -> None:
        self.factor = codec_factor(network.config)
        self.channels = int(network.config["latent_channels"])
        self._network = network
        self._posterior = posterior
        self._scale = float(network.config["scaling_factor"])
        self._shift = float(network.config.get("shift_factor") or 0.0)

    def encode(self, rgb: Tensor) -> Tensor:
        """``(b 3 ps ps)`` in [0, 1] to ``(b k s s)`` in the precision of ``rgb``; gradients flow."""
        encoded = through_half(self._encode, 2 * rgb - 1, self._network.dtype)
        latents = encoded[:, : self.channels]
        if encoded.shape[1] > self.channels:
            latents = latents + encoded[:, self.channels :] * _noise(rgb.detach(), latents)
        return (latents - self._shift) * self._scale

    def decode(self, latents: Tensor) -> Tensor:
        """``(b k s s)`` to ``(b 3 ps ps)``, not clamped to [0, 1]; gradients flow."""
        return (through_half(self._decode, latents / self._scale + self._shift, self._network.dtype) + 1) / 2

    def bound(self, latents: Tensor) -> Tensor:
        """The latents unchanged: no range of them corresponds to colours in [0, 1]."""
        return latents

    def _encode(self, values: Tensor) -> Tensor:
        """The posterior's mean, and behind it in the channels its deviation if a sample is wanted."""
        encoded = self._network.encode(values.contiguous(memory_format=torch.channels_last))
        if isinstance(encoded, AutoencoderTinyOutput):
            return encoded.latents
        posterior = encoded.latent_dist
        return torch.cat([posterior.mean, posterior.std], dim=1) if self._posterior == "sample" else posterior.mean

    def _decode(self, values: Tensor) -> Tensor:
        decoded: Tensor = self._network.decode(values.contiguous(memory_format=torch.channels_last)).sample
        return decoded


def _noise(rgb: Tensor, latents: Tensor) -> Tensor:
    """Standard normal noise like ``latents``, each row's from a seed made of its image."""
    rows = [hashlib.sha256(row.float().contiguous().numpy().tobytes()).digest()[:8] for row in rgb.cpu()]
    generators = [torch.Generator().manual_seed(int.from_bytes(row, "big") >> 1) for row in rows]
    drawn = [torch.randn(latents.shape[1:], generator=generator) for generator in generators]
    return torch.stack(drawn).to(latents)
