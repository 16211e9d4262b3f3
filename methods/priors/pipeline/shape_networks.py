"""A pipeline's networks on torch's device ``meta``: shapes without values, for counting operations and bytes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from methods.conditioning import Conditioning
from methods.contracts import AdaptedPrior
from methods.priors.pipeline.architecture import Architecture
from methods.priors.pipeline.codec import Codec
from methods.priors.pipeline.codecs import codec_precision
from methods.priors.pipeline.networks import network_class
from methods.priors.pipeline.patch_codec import PatchCodec
from methods.priors.pipeline.pixel_codec import PixelCodec
from methods.priors.pipeline.vae_codec import VaeCodec

_COLOURS = 3


class ShapeNetworks:
    """The networks as :class:`~methods.priors.pipeline.diffusers_prior.DiffusersPrior` runs them on a GPU.

    Args:
        architecture: Their shapes.
        resolution: Side of the images in pixels; None for the one that the network was trained on.
    """

    def __init__(self, architecture: Architecture, resolution: int | None = None) -> None:
        self.dtype = torch.float32 if architecture.has_patch_codec else torch.float16
        self._family = architecture.family(architecture.configs, resolution)
        self.side, self.resolution = self._family.side, self._family.resolution
        with torch.device("meta"):
            networks = {name: self._network(name) for name in self._family.networks() if not self._is_patch(name)}
        for name, network in networks.items():
            dtype = codec_precision(self._family, self.dtype) if name == "vae" else self.dtype
            torch.nn.Module.to(network, dtype)  # diffusers' own warns of every cast
            network.requires_grad_(False).eval()
        self._unet = networks[self._family.network]
        self._conditioning = self._embed({name: networks[name] for name in self._family.text_encoders()})
        self._codec = self._make_codec(networks)
        self.weight_bytes = sum(value.nbytes for network in networks.values() for value in network.parameters())
        """Memory of all weights, those of text encoders that are dropped after their texts included."""

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
        """The network's output for ``latents`` under one prompt."""
        return self._evaluate(self._unet, latents, *self._conditions())

    def adapted(self, rank: int) -> AdaptedPrior:
        """The network's trainable copy."""
        from methods.priors.pipeline.lora import AdaptedNetwork  # peft takes seconds to import, and few methods need it

        return AdaptedNetwork(self._unet, self._evaluate, self._family, rank=rank, generator=torch.Generator())

    def predict_adapted(self, adapted: AdaptedPrior, latents: Tensor) -> Tensor:
        """The output of the trainable copy for ``latents`` under one prompt, seen by one camera."""
        return adapted.predict_noise(latents, *self._conditions(), torch.empty(1, 16, device="meta"))

    def _network(self, name: str) -> Any:
        config, known = self._family.configs[name], self._family.components[name]
        given = config.get("_class_name")
        network = network_class(given if given in known else known[0])
        if hasattr(network, "from_config"):
            return network.from_config(config)
        return network(network.config_class(**config))

    def _is_patch(self, name: str) -> bool:
        return "patch" in self._family.configs[name]

    def _make_codec(self, networks: dict[str, Any]) -> Codec:
        if "vae" not in self._family.components:
            return PixelCodec()
        if "vae" in networks:
            return VaeCodec(networks["vae"])
        config = self._family.configs["vae"]
        patch, kept = int(config["patch"]), int(config["latent_channels"])
        size = _COLOURS * patch**2
        with torch.device("meta"):
            return PatchCodec(patch, torch.empty(size), torch.empty(kept, size), torch.empty(kept))

    @torch.no_grad()
    def _embed(self, encoders: dict[str, Any]) -> Conditioning:
        lengths = self._family.lengths().items()
        tokens = {name: torch.empty(1, length, dtype=torch.long, device="meta") for name, length in lengths}
        return self._family.embed(tokens, encoders)

    def _conditions(self) -> tuple[Tensor, Conditioning]:
        """A timestep ``(1,)`` and the conditioning of one row."""
        return torch.empty(1, dtype=torch.long, device="meta"), self._conditioning

    def _evaluate(
        self, network: Any, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Tensor
    ) -> Tensor:
        noisy = latents.to(self.dtype).contiguous(memory_format=torch.channels_last)
        return self._family.predict(network, noisy, timesteps, conditioning, **more).to(latents.dtype)
