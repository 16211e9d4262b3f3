"""A pipeline's networks on torch's device ``meta``: shapes without values, for counting operations and bytes."""

from __future__ import annotations

import torch
from torch import Tensor

import methods.torchvision_shim  # noqa: F401  (before diffusers and transformers)

# isort: split
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from methods.conditioning import Conditioning
from methods.contracts import AdaptedPrior
from methods.priors.pipeline.architecture import Architecture
from methods.priors.pipeline.codec import Codec
from methods.priors.pipeline.patch_codec import PatchCodec
from methods.priors.pipeline.vae_codec import VaeCodec

_COLOURS = 3


class ShapeNetworks:
    """The networks as :class:`~methods.priors.pipeline.diffusers_prior.DiffusersPrior` runs them on a GPU.

    Args:
        architecture: Their shapes.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.dtype = torch.float32 if architecture.has_patch_codec else torch.float16
        self.side = int(architecture.unet["sample_size"])
        with torch.device("meta"):
            self._unet = UNet2DConditionModel.from_config(architecture.unet)
            self._text_encoder = CLIPTextModel(CLIPTextConfig(**architecture.text_encoder))
            networks = [self._unet, self._text_encoder]
            self._codec: Codec
            if architecture.has_patch_codec:
                patch, kept = int(architecture.vae["patch"]), int(architecture.vae["latent_channels"])
                size = _COLOURS * patch**2
                self._codec = PatchCodec(patch, torch.empty(size), torch.empty(kept, size), torch.empty(kept))
            else:
                networks.append(vae := AutoencoderKL.from_config(architecture.vae))
                self._codec = VaeCodec(vae)
        for network in networks:
            torch.nn.Module.to(network, self.dtype)  # diffusers' own warns of every cast
            network.requires_grad_(False).eval()
        self.resolution = self._codec.factor * self.side
        self.parameters = sum(value.numel() for network in networks for value in network.parameters())

    def images(self) -> Tensor:
        """One image ``(1 3 ps ps)`` in float32."""
        return torch.empty(1, _COLOURS, self.resolution, self.resolution, device="meta")

    def latents(self) -> Tensor:
        """The latents ``(1 k s s)`` of one image in float32."""
        return torch.empty(1, self._codec.channels, self.side, self.side, device="meta")

    def encode(self, rgb: Tensor) -> Tensor:
        """Images to latents."""
        return self._codec.encode(rgb)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to images."""
        return self._codec.decode(latents)

    def predict_noise(self, latents: Tensor) -> Tensor:
        """The UNet's output for ``latents`` under one prompt."""
        return self._evaluate(self._unet, latents, *self._conditions())

    def adapted(self, rank: int) -> AdaptedPrior:
        """The UNet's trainable copy."""
        from methods.priors.pipeline.lora import AdaptedUNet  # peft takes seconds to import, and few methods need it

        return AdaptedUNet(self._unet, self._evaluate, rank=rank, generator=torch.Generator())

    def predict_adapted(self, adapted: AdaptedPrior, latents: Tensor) -> Tensor:
        """The output of the trainable copy for ``latents`` under one prompt, seen by one camera."""
        return adapted.predict_noise(latents, *self._conditions(), torch.empty(1, 16, device="meta"))

    def _conditions(self) -> tuple[Tensor, Conditioning]:
        """A timestep ``(1,)`` and the conditioning of one row."""
        config = self._text_encoder.config
        text = torch.empty(1, config.max_position_embeddings, config.hidden_size, device="meta")
        return torch.empty(1, dtype=torch.long, device="meta"), Conditioning(text)

    def _evaluate(
        self, unet: UNet2DConditionModel, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Tensor
    ) -> Tensor:
        noisy = latents.to(self.dtype).contiguous(memory_format=torch.channels_last)
        output: Tensor = unet(noisy, timesteps, conditioning.sequence.to(self.dtype), **more).sample
        return output.to(latents.dtype)
