"""Stable Diffusion 1 and 2, their few-step models, and the toybox's prior: a UNet with one CLIP text encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from methods.conditioning import Conditioning
from methods.priors.pipeline.families.family import Family, clip_length
from methods.priors.pipeline.families.few_steps import has_few_steps
from methods.priors.pipeline.text_reader import TextReader


class StableDiffusion(Family):
    """Stable Diffusion 1 and 2 (arXiv 2112.10752), SD-Turbo and the toybox's prior.

    The conditioning are the text encoder's last hidden states.
    """

    pipelines = ("StableDiffusionPipeline",)
    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "unet": ("UNet2DConditionModel",),
        "vae": ("AutoencoderKL", "PatchCodec", "AutoencoderTiny"),
        "text_encoder": ("CLIPTextModel",),
        "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
    }
    # DDIM sampling with 7.5 is what SDI and NFSD reproduce (arXiv 2405.15891 A.3; 2310.17590)
    guidance_scale = 7.5
    keeps_text_encoders = True

    @classmethod
    def default_scale(cls, configs: Mapping[str, dict[str, Any]]) -> float:
        """7.5, or 1 for SD-Turbo and its like."""
        return 1.0 if has_few_steps(configs) else cls.guidance_scale

    def lengths(self) -> dict[str, int]:
        """CLIP's number of positions."""
        return {"text_encoder": clip_length(self.configs["text_encoder"])}

    @classmethod
    def readers(cls, folder: Path) -> dict[str, TextReader]:
        """CLIP's tokenizer."""
        from methods.priors.pipeline.clip_reader import ClipReader  # transformers takes seconds to import

        return {"text_encoder": ClipReader(folder)}

    def embed(self, tokens: Mapping[str, Tensor], encoders: Mapping[str, Any]) -> Conditioning:
        """The last hidden states ``(1 n d)``."""
        return Conditioning(encoders["text_encoder"](tokens["text_encoder"]).last_hidden_state.float())

    def predict(
        self, network: Any, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Any
    ) -> Tensor:
        """The UNet's output."""
        output: Tensor = network(noisy, timesteps, conditioning.sequence.to(noisy.dtype), **more).sample
        return output
