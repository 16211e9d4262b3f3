"""A text-to-image model in diffusers' folder format, used as a prior."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor

import methods.torchvision_shim  # noqa: F401  (before diffusers and transformers)

# isort: split
from diffusers import DDIMScheduler

from methods.conditioning import Conditioning
from methods.contracts import AdaptedPrior
from methods.diffusion.noise_levels import flow_levels, flow_point
from methods.pixels import clamp_finite
from methods.priors.pipeline.card import pipeline_card
from methods.priors.pipeline.codecs import load_codec
from methods.priors.pipeline.folder import check_pipeline, family_in, is_flow, read_configs
from methods.priors.pipeline.networks import load_network, network_class
from methods.priors.pipeline.prompt_reader import PromptReader
from methods.priors.pipeline.settings import PipelineSettings
from methods.priors.pipeline.text_encoders import TextEncoders

#: The keys of a scheduler's configuration that determine ᾱ; the sampler that it belongs to is not used.
_SCHEDULE = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas")

#: Texts whose conditioning is kept; a cell has fewer, and one text of T5-XXL takes 4 MB.
_TEXTS = 32

#: A flow's network reads its time times this, as a diffusion network does its timestep.
_FLOW_STEPS = 1000


class DiffusersPrior:
    """A pipeline in one folder: a network that predicts, text encoders, tokenizers, scheduler and codec.

    What is particular to a kind of pipeline is in its family (:mod:`methods.priors.pipeline.families`).  Latents,
    conditioning and noise are float32 at the interface, whatever precision the networks run in.

    Args:
        folder: The pipeline folder.  With a ``card.json`` its files are checked against it; without one they are
            hashed as they are, and guidance scale and negative prompt are the family's.
        settings: Device, precision, compilation, resolution and the KL autoencoder's posterior; by default the CPU,
            float32, the network's own resolution and the mode.

    Raises:
        WeightsError: If a file is missing, differs from the one that the card names or cannot be loaded, if the
            pipeline is of a kind that no family can use, or it cannot make images of the resolution.
    """

    def __init__(self, folder: Path, settings: PipelineSettings | None = None) -> None:
        settings = settings or PipelineSettings()
        self.weights_sha256, self.guidance_scale, self.negative_prompt = pipeline_card(folder)
        self._classes = check_pipeline(folder, str(folder))
        self.device, self._dtype = torch.device(settings.device), settings.dtype
        self._folder, kind = folder, family_in(folder)
        self._in_memory: WeakSet[torch.nn.Module] = WeakSet()
        self._family = kind(read_configs(folder, kind.networks()), settings.resolution)
        self._reader = PromptReader(folder)
        self._text_encoders = TextEncoders(kind.text_encoders(), self._load, keep=kind.keeps_text_encoders)
        self._network = self._load(kind.network).to(memory_format=torch.channels_last)
        self._codec = load_codec(folder, self._family, settings, self._load)
        # adapters are put on the network itself, whose weights the compiled one shares
        self._run = torch.compile(self._network) if settings.compiled else self._network
        schedule = self._family.configs["scheduler"]
        self._predicts = schedule.get("prediction_type", "epsilon")
        self._is_flow = is_flow(schedule)
        self.alphas_cumprod = (flow_levels().float() if self._is_flow else _beta_levels(schedule)).to(self.device)
        self.resolution = self._family.resolution
        self.latent_shape = (self._codec.channels, self._family.side, self._family.side)
        self.calls = 0
        self.rows = 0
        self._embedded: dict[str, Conditioning] = {}

    def encode(self, rgb: Tensor) -> Tensor:
        """``(b 3 h w)`` in [0, 1], resized to the prior's resolution, to latents ``(b k s s)``."""
        if rgb.shape[-1] != self.resolution:
            size = (self.resolution, self.resolution)
            rgb = torch.nn.functional.interpolate(rgb, size, mode="bilinear", antialias=rgb.shape[-1] > size[0])
        return self._codec.encode(rgb)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents ``(b k s s)`` to ``(b 3 ps ps)`` in [0, 1], or NaN where they are not finite."""
        return clamp_finite(self._codec.decode(latents))

    def null(self, count: int) -> Conditioning:
        """The conditioning that the family has for no prompt, in most that of the empty text, in ``count`` rows."""
        return Conditioning.cat([self._family.null(lambda text: self.embed([text]))] * count)

    def bound(self, latents: Tensor, *, inverting: bool = False) -> Tensor:
        """The latents whose image is that of ``latents`` with colours clamped to [0, 1]; a VAE's are unchanged."""
        return self._codec.bound(latents)

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Conditioning:
        """The conditioning of each text, which is encoded once as long as it is among the last ``_TEXTS``.

        Of a text that is too long the end is cut, or what is before its view words (:class:`PromptReader`).
        """
        found = {}
        for text in texts:
            if text not in self._embedded:
                tokens = {name: read.to(self.device) for name, read in self._reader(text).items()}
                self._embedded[text] = self._family.embed(tokens, self._text_encoders())
            found[text] = self._embedded[text] = self._embedded.pop(text)  # the last one now
        for text in list(self._embedded)[:-_TEXTS]:
            del self._embedded[text]
        return Conditioning.cat([found[text] for text in texts])

    def held_tensors(self) -> list[Tensor]:
        """The tensors of its networks and of its texts' conditioning that are in memory now."""
        networks = [tensor for network in self._in_memory for tensor in (*network.parameters(), *network.buffers())]
        return networks + [tensor for each in self._embedded.values() for tensor in each.tensors()]

    def drop_text_encoders(self) -> None:
        """Free the text encoders' memory, which a prediction does too; those of Stable Diffusion 1 and 2 are kept."""
        self._text_encoders.drop()

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that ``embed`` leaves out; 0 if the text fits."""
        return self._reader.tokens_cut(text)

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The noise in ``latents`` ``(b c lh lw)`` at ``timesteps`` ``(b,)``, whatever the network predicts."""
        return self._evaluate(self._run, latents, timesteps, conditioning)

    def adapted(self, rank: int, generator: torch.Generator) -> AdaptedPrior:
        """The network with LoRA adapters and a camera embedding of its own; its calls count as the prior's."""
        from methods.priors.pipeline.lora import AdaptedNetwork  # peft takes seconds to import, and few methods need it

        return AdaptedNetwork(self._network, self._evaluate, self._family, rank=rank, generator=generator)

    def _load(self, name: str, dtype: torch.dtype | None = None) -> Any:
        loaded = load_network(network_class(self._classes[name]), self._folder / name, dtype or self._dtype)
        network = loaded.requires_grad_(False).eval().to(self.device)
        self._in_memory.add(network)
        return network

    def _evaluate(
        self, network: Any, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Any
    ) -> Tensor:
        self._text_encoders.drop()  # the texts of a run are embedded before its first prediction
        self.calls += 1
        self.rows += len(latents)
        # a released inversion evaluates at t = −99, where diffusers also takes the schedule's first value
        alpha = self.alphas_cumprod[timesteps.clamp_min(0)][:, None, None, None]
        if self._is_flow:
            point = flow_point(latents, alpha)
            times = _FLOW_STEPS * point.time.flatten()
            return point.noise(self._predict(network, point.latents, times, conditioning, more))
        output = self._predict(network, latents, timesteps, conditioning, more)
        if self._predicts == "epsilon":
            return output
        if self._predicts == "v_prediction":
            return alpha.sqrt() * output + (1 - alpha).sqrt() * latents
        return (latents - alpha.sqrt() * output) / (1 - alpha).sqrt()

    def _predict(
        self, network: Any, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, more: dict[str, Any]
    ) -> Tensor:
        """The network's output in the precision of ``latents``."""
        noisy = latents.to(self._dtype).contiguous(memory_format=torch.channels_last)
        return self._family.predict(network, noisy, timesteps, conditioning, **more).to(latents.dtype)


def _beta_levels(schedule: dict[str, Any]) -> Tensor:
    """ᾱ of the schedule that a scheduler's configuration describes."""
    return DDIMScheduler(**{name: schedule[name] for name in _SCHEDULE if name in schedule}).alphas_cumprod
