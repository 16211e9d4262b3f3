"""A trainable copy of a diffusion UNet: low-rank adapters in its attention, and a camera embedding."""

from __future__ import annotations

import copy
import itertools
from typing import Protocol

import torch
from torch import Tensor

import methods.torchvision_shim  # noqa: F401  (before diffusers and peft)

# isort: split
from diffusers import UNet2DConditionModel
from diffusers.models.embeddings import TimestepEmbedding
from peft import LoraConfig, inject_adapter_in_model

from methods.conditioning import Conditioning

#: The projections of the attention that diffusers' own LoRA adapts.
_PROJECTIONS = ["to_q", "to_k", "to_v", "to_out.0"]


class Evaluate(Protocol):
    """Calls a network and converts its output to noise, as the prior does with its own."""

    def __call__(
        self,
        unet: UNet2DConditionModel,
        latents: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        *,
        class_labels: Tensor,
    ) -> Tensor: ...


class AdaptedUNet:
    """LoRA (arXiv 2106.09685) on a UNet's attention, conditioned on the camera as VSD's is (arXiv 2305.16213).

    Only the modules are copied; the frozen tensors are the prior's own, so that the copy costs no memory and
    the prior's network is not touched.  The camera goes through diffusers' ``TimestepEmbedding`` as a class
    embedding.  Its last layer starts at zero, like the adapters' second factor, so that the copy predicts what
    the prior does at first; threestudio starts it at random.  Trained parameters are float32, whatever precision
    the prior's network runs in.

    Args:
        unet: The prior's network, with frozen parameters.
        evaluate: Calls a network and converts its output to noise.
        rank: Rank of the adapters.
        generator: Draws the initial values of the adapters and the embedding.

    Raises:
        ValueError: If the network has a class embedding already, or its parameters are not frozen.
    """

    def __init__(
        self, unet: UNet2DConditionModel, evaluate: Evaluate, *, rank: int, generator: torch.Generator
    ) -> None:
        if unet.class_embedding is not None:
            raise ValueError("the prior's UNet has a class embedding already; there is no room for the camera's")
        if any(parameter.requires_grad for parameter in unet.parameters()):
            raise ValueError("the prior's UNet is not frozen; training its copy would train it too")
        kept = {id(tensor): tensor for tensor in itertools.chain(unet.parameters(), unet.buffers())}
        self._evaluate = evaluate
        self._unet = copy.deepcopy(unet, kept)
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=_PROJECTIONS)
        inject_adapter_in_model(config, self._unet)
        embedding = TimestepEmbedding(16, unet.time_embedding.linear_2.out_features)
        self._unet.class_embedding = embedding.to(unet.device)
        self._unet.eval()
        for value in self.parameters().values():  # half precision is too coarse for an optimiser's small steps
            value.data = value.data.float()
        self._initialise(rank, generator)

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """The parameters of the adapters and the camera embedding, by name."""
        return {name: value for name, value in self._unet.named_parameters() if value.requires_grad}

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, cameras: Tensor) -> Tensor:
        """Noise in ``latents`` ``(b c lh lw)`` seen by ``cameras`` ``(b 16)``, zeros for any camera."""
        return self._evaluate(
            self._unet, latents, timesteps, conditioning, class_labels=cameras.to(latents.device, torch.float32)
        )

    @torch.no_grad()
    def _initialise(self, rank: int, generator: torch.Generator) -> None:
        """Draw again what the libraries drew from the global generator, by diffusers' own rules."""
        for name, value in self.parameters().items():
            drawn = torch.randn(value.shape, generator=generator, device=generator.device).to(value)
            if "lora_A" in name:
                value.copy_(drawn / rank)
            elif "linear_1.weight" in name:
                value.copy_(drawn / value.shape[1] ** 0.5)
            else:
                value.zero_()
