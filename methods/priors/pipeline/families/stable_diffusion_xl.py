"""Stable Diffusion XL and its few-step models: a UNet with two CLIP text encoders, a pooled vector and sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.conditioning import Conditioning
from methods.priors.pipeline.families.family import Family, clip_length
from methods.priors.pipeline.families.few_steps import has_few_steps
from methods.priors.pipeline.text_reader import TextReader
from methods.weights import WeightsError

#: Numbers in the ids: the image's size, its crop's corner, and the size asked for.
_IDS = 6


class StableDiffusionXL(Family):
    """Stable Diffusion XL (arXiv 2307.01952), SDXL-Turbo and SDXL-Lightning.

    The sequence is the penultimate hidden states of both text encoders side by side, the pooled vector that of the
    second, and the ids are the image's size, its crop and the size asked for: (h, w, 0, 0, h, w), h = w = the
    resolution.  No prompt is zeros in place of sequence and pooled vector if the pipeline says so.
    """

    pipelines = ("StableDiffusionXLPipeline",)
    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "unet": ("UNet2DConditionModel",),
        "vae": ("AutoencoderKL", "AutoencoderTiny"),
        "text_encoder": ("CLIPTextModel",),
        "text_encoder_2": ("CLIPTextModelWithProjection",),
        "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
        "tokenizer_2": ("CLIPTokenizer", "CLIPTokenizerFast"),
    }
    guidance_scale = 5.0  # the default of diffusers' pipeline
    inputs: ClassVar[Mapping[str, tuple[str, ...]]] = {"addition_embed_type": ("text_time",)}
    upcasts_codec = True

    @classmethod
    def default_scale(cls, configs: Mapping[str, dict[str, Any]]) -> float:
        """5, or 1 for SDXL-Turbo, SDXL-Lightning and their like."""
        return 1.0 if has_few_steps(configs) else cls.guidance_scale

    @classmethod
    def check(cls, configs: Mapping[str, dict[str, Any]], where: str) -> None:
        """Check the UNet's inputs, and that the time ids and the pooled vector fill its added embedding.

        Raises:
            WeightsError: If they do not.
        """
        super().check(configs, where)
        unet, pooled = configs["unet"], int(configs["text_encoder_2"].get("projection_dim", 512))
        given = pooled + _IDS * int(unet.get("addition_time_embed_dim") or 0)
        found = unet.get("projection_class_embeddings_input_dim")
        if found != given:
            raise WeightsError(
                f"{where}: the UNet's projection_class_embeddings_input_dim = {found!r}, but a pooled vector of "
                f"{pooled} and {_IDS} sizes are {given}; refiners cannot be used as priors"
            )

    def lengths(self) -> dict[str, int]:
        """CLIP's number of positions."""
        return {name: clip_length(self.configs[name]) for name in self.text_encoders()}

    @classmethod
    def readers(cls, folder: Path) -> dict[str, TextReader]:
        """Both of CLIP's tokenizers, which differ in what they fill a text up with."""
        from methods.priors.pipeline.clip_reader import ClipReader  # transformers takes seconds to import

        pairs = zip(cls.text_encoders(), cls.tokenizers(), strict=True)
        return {encoder: ClipReader(folder, tokenizer, encoder) for encoder, tokenizer in pairs}

    def embed(self, tokens: Mapping[str, Tensor], encoders: Mapping[str, Any]) -> Conditioning:
        """Sequence ``(1 n d)``, pooled vector ``(1 p)`` and ids ``(1 6)``."""
        outputs = [encoders[name](tokens[name], output_hidden_states=True) for name in self.text_encoders()]
        sequence = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1).float()
        pooled = outputs[-1].text_embeds.float()
        side = self.resolution
        ids = torch.tensor([[side, side, 0, 0, side, side]], dtype=torch.float32).to(sequence.device)
        return Conditioning(sequence, pooled=pooled, ids=ids)

    def null(self, embed: Callable[[str], Conditioning]) -> Conditioning:
        """Zeros with the ids of any text, or the empty text's if ``force_zeros_for_empty_prompt`` is off."""
        empty = embed("")
        if not self.configs["index"].get("force_zeros_for_empty_prompt", True) or empty.pooled is None:
            return empty
        zeros = torch.zeros_like(empty.sequence), torch.zeros_like(empty.pooled)
        return Conditioning(zeros[0], pooled=zeros[1], ids=empty.ids)

    def predict(
        self, network: Any, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Any
    ) -> Tensor:
        """The UNet's output under the sequence, the pooled vector and the ids."""
        if conditioning.pooled is None or conditioning.ids is None:
            raise ValueError("the conditioning is not that of Stable Diffusion XL: it has no pooled vector or no ids")
        added = {"text_embeds": conditioning.pooled.to(noisy.dtype), "time_ids": conditioning.ids}
        sequence = conditioning.sequence.to(noisy.dtype)
        output: Tensor = network(noisy, timesteps, sequence, added_cond_kwargs=added, **more).sample
        return output
