"""A trainable copy of a diffusion network: low-rank adapters in its attention, and a camera embedding."""

from __future__ import annotations

import copy
import itertools
from typing import Any, Protocol

import torch
from torch import Tensor

import methods.torchvision_shim  # noqa: F401  (before diffusers and peft)

# isort: split
from diffusers.models.embeddings import TimestepEmbedding
from peft import LoraConfig, inject_adapter_in_model

from methods.conditioning import Conditioning
from methods.priors.pipeline.families.family import Family


class Evaluate(Protocol):
    """Calls a network and converts its output to noise, as the prior does with its own."""

    def __call__(
        self, network: Any, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Tensor
    ) -> Tensor: ...


class AdaptedNetwork:
    """LoRA (arXiv 2106.09685) on a network's attention, conditioned on the camera as VSD's is (arXiv 2305.16213).

    Only the modules are copied; the frozen tensors are the prior's own, so that the copy costs no memory and
    the prior's network is not touched.  The camera goes through diffusers' ``TimestepEmbedding``: in a UNet as a class
    embedding, in a transformer added to the embedding of time.  Its last layer starts at zero, like the adapters'
    second factor, so that the copy predicts what the prior does at first; threestudio starts it at random.  Trained
    parameters are float32, whatever precision the prior's network runs in.

    Args:
        network: The prior's network, with frozen parameters.
        evaluate: Calls a network and converts its output to noise.
        family: The family of the prior's pipeline, or its class.
        rank: Rank of the adapters.
        generator: Draws the initial values of the adapters and the embedding.

    Raises:
        ValueError: If the network has a class embedding already, or its parameters are not frozen.
    """

    def __init__(
        self, network: Any, evaluate: Evaluate, family: Family | type[Family], *, rank: int, generator: torch.Generator
    ) -> None:
        place = family.camera_module
        if not place and network.class_embedding is not None:
            raise ValueError("the prior's UNet has a class embedding already; there is no room for the camera's")
        if any(parameter.requires_grad for parameter in network.parameters()):
            raise ValueError("the prior's network is not frozen; training its copy would train it too")
        kept = {id(tensor): tensor for tensor in itertools.chain(network.parameters(), network.buffers())}
        self._evaluate = evaluate
        self._network = copy.deepcopy(network, kept)
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(family.projections))
        self._camera: _WithCamera | None = None
        devices = [network.device] if network.device.type == "cuda" else []
        with torch.random.fork_rng(devices):  # the libraries draw from the global generator
            inject_adapter_in_model(config, self._network)
            if place:
                parent, _, name = place.rpartition(".")
                self._camera = _WithCamera(self._network.get_submodule(place))
                setattr(self._network.get_submodule(parent), name, self._camera)
                self._camera.embedding.to(network.device)
            else:
                embedding = TimestepEmbedding(16, network.time_embedding.linear_2.out_features)
                self._network.class_embedding = embedding.to(network.device)
        self._network.eval()
        for value in self.parameters().values():  # half precision is too coarse for an optimiser's small steps
            value.data = value.data.float()
        self._initialise(rank, generator)

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """The parameters of the adapters and the camera embedding, by name."""
        return {name: value for name, value in self._network.named_parameters() if value.requires_grad}

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, cameras: Tensor) -> Tensor:
        """Noise in ``latents`` ``(b c lh lw)`` seen by ``cameras`` ``(b 16)``, zeros for any camera."""
        cameras = cameras.to(latents.device, torch.float32)
        if self._camera is None:
            return self._evaluate(self._network, latents, timesteps, conditioning, class_labels=cameras)
        self._camera.cameras = cameras
        return self._evaluate(self._network, latents, timesteps, conditioning)

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


class _WithCamera(torch.nn.Module):
    """A module that embeds the time, with the embedding of the cameras added.

    Args:
        time: Returns ``(b d)``, whatever it takes.
    """

    def __init__(self, time: torch.nn.Module) -> None:
        super().__init__()
        self.time = time
        width = [module.out_features for module in time.modules() if isinstance(module, torch.nn.Linear)][-1]
        self.embedding = TimestepEmbedding(16, width)
        self.cameras = torch.zeros(0)  # (b 16), set before every call

    def forward(self, *given: Any, **more: Any) -> Tensor:
        embedded: Tensor = self.time(*given, **more)
        return embedded + self.embedding(self.cameras).to(embedded.dtype)
