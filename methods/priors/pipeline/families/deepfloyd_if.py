"""DeepFloyd IF's first stage: a UNet that denoises pixels, with a T5 text encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from methods.conditioning import Conditioning
from methods.priors.pipeline.families.family import Family
from methods.priors.pipeline.families.t5_text import embed_t5
from methods.priors.pipeline.text_reader import TextReader

#: Tokens of a text; T5 reads more, but the network was trained on as many.
_LENGTH = 77


class DeepFloydIF(Family):
    """DeepFloyd IF's first stage (github.com/deep-floyd/IF), which denoises pixels.

    The conditioning are T5's last hidden states; the latents are the image, 64 × 64, its colours in [−1, 1].
    """

    pipelines = ("IFPipeline",)
    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "unet": ("UNet2DConditionModel",),
        "text_encoder": ("T5EncoderModel",),
        "tokenizer": ("T5Tokenizer", "T5TokenizerFast"),
    }
    guidance_scale = 7.0  # the default of diffusers' pipeline
    inputs: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "addition_embed_type": ("text",),
        "encoder_hid_dim_type": ("text_proj",),
    }
    has_outputs_for_variance = True
    # diffusers' attention for IF has projections of the text next to those of the image
    projections = (*Family.projections, "add_k_proj", "add_v_proj")

    def lengths(self) -> dict[str, int]:
        """77 tokens."""
        return {"text_encoder": _LENGTH}

    @classmethod
    def readers(cls, folder: Path) -> dict[str, TextReader]:
        """T5's tokenizer, on texts in lower case."""
        from methods.priors.pipeline.t5_reader import T5Reader  # transformers takes seconds to import

        return {"text_encoder": T5Reader(folder, _LENGTH, lower=True)}

    def embed(self, tokens: Mapping[str, Tensor], encoders: Mapping[str, Any]) -> Conditioning:
        """T5's last hidden states ``(1 77 d)``; the network reads those of padding too."""
        return Conditioning(embed_t5(tokens["text_encoder"], encoders["text_encoder"]).sequence)

    def predict(
        self, network: Any, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Any
    ) -> Tensor:
        """The noise, the first half of the UNet's output; the second is a learned variance."""
        output: Tensor = network(noisy, timesteps, conditioning.sequence.to(noisy.dtype), **more).sample
        return output[:, : noisy.shape[1]]
