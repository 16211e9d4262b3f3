"""A text-to-image model in diffusers' folder format, spoken to as a prior."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import methods.torchvision_mend  # noqa: F401  (before diffusers and transformers)

# isort: split
from diffusers import DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from methods.contracts import AdaptedPrior
from methods.priors.patch_codec import PatchCodec
from methods.weights import read_card, verified_weights


class DiffusersPrior:
    """A pipeline of UNet, CLIP text encoder, tokenizer, scheduler and patch codec in one folder.

    Args:
        folder: The pipeline folder with its ``card.json``.
        device: Where to run.

    Raises:
        WeightsError: If a file is missing or not the one the card names.
        ValueError: If the pipeline predicts something this class cannot turn into noise.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        self.weights_sha256 = verified_weights(folder)
        card = read_card(folder)
        self.guidance_scale = float(card.get("guidance_scale", 1.0))
        self.negative_prompt = str(card.get("negative_prompt", ""))
        transformers_logging.disable_progress_bar()  # the run's own progress is what matters
        self._tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self._text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        self._unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
        for network in (self._text_encoder, self._unet):
            network.requires_grad_(False).eval().to(device)
        self._unet.to(memory_format=torch.channels_last)
        scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
        self._predicts = scheduler.config["prediction_type"]
        if self._predicts not in ("epsilon", "v_prediction", "sample"):
            raise ValueError(f"{folder}: prediction_type {self._predicts!r} is not epsilon, v_prediction or sample")
        self.alphas_cumprod = scheduler.alphas_cumprod.to(device)
        self._codec = PatchCodec.load(folder / "vae", device)
        self.resolution = self._codec.patch * self._unet.config["sample_size"]
        self.device = torch.device(device)
        self.calls = 0
        self.rows = 0
        self._embedded: dict[str, Tensor] = {}

    def encode(self, rgb: Tensor) -> Tensor:
        """``(b 3 h w)`` in [0, 1], resized to the prior's resolution, to latents ``(b k s s)``."""
        if rgb.shape[-1] != self.resolution:
            size = (self.resolution, self.resolution)
            rgb = torch.nn.functional.interpolate(rgb, size, mode="bilinear", antialias=rgb.shape[-1] > size[0])
        return self._codec.encode(rgb)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents ``(b k s s)`` to ``(b 3 ps ps)`` in [0, 1]."""
        return self._codec.decode(latents).clamp(0, 1)

    def bound(self, latents: Tensor) -> Tensor:
        """The latents whose picture is that of ``latents`` with its colours held within [0, 1]."""
        return self._codec.encode(self.decode(latents))

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Tensor:
        """``(b n d)``: the text encoder's last hidden states, each text encoded once."""
        for text in texts:
            if text not in self._embedded:
                tokens = self._tokenizer(text, padding="max_length", truncation=True, return_tensors="pt").input_ids
                self._embedded[text] = self._text_encoder(tokens.to(self.device)).last_hidden_state[0]
        return torch.stack([self._embedded[text] for text in texts])

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Tensor) -> Tensor:
        """The noise in ``latents`` ``(b c lh lw)`` at ``timesteps`` ``(b,)``, whatever the network predicts."""
        return self._evaluate(self._unet, latents, timesteps, conditioning)

    def adapted(self, rank: int, generator: torch.Generator) -> AdaptedPrior:
        """The UNet with LoRA adapters and a camera embedding of its own; its calls count as the prior's."""
        from methods.priors.lora import AdaptedUNet  # peft takes seconds to import, and few methods need it

        return AdaptedUNet(self._unet, self._evaluate, rank=rank, generator=generator)

    def _evaluate(
        self, unet: UNet2DConditionModel, latents: Tensor, timesteps: Tensor, conditioning: Tensor, **more: Any
    ) -> Tensor:
        self.calls += 1
        self.rows += len(latents)
        output = unet(latents.contiguous(memory_format=torch.channels_last), timesteps, conditioning, **more).sample
        if self._predicts == "epsilon":
            return output
        # a released inversion asks at t = −99, where the schedule counts as not begun (diffusers does the same)
        alpha = self.alphas_cumprod[timesteps.clamp_min(0)][:, None, None, None]
        if self._predicts == "v_prediction":
            return alpha.sqrt() * output + (1 - alpha).sqrt() * latents
        return (latents - alpha.sqrt() * output) / (1 - alpha).sqrt()
