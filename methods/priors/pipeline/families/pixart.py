"""PixArt-Σ: a transformer with a T5 text encoder and the mask of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from methods.conditioning import Conditioning
from methods.priors.pipeline.families.family import Family
from methods.priors.pipeline.families.t5_text import embed_t5
from methods.priors.pipeline.text_reader import TextReader
from methods.weights import WeightsError

#: Tokens of a text, those of the paper.
_LENGTH = 300


class PixArtSigma(Family):
    """PixArt-Σ (arXiv 2403.04692).

    The conditioning are T5's last hidden states, of which a mask leaves padding out.
    """

    pipelines = ("PixArtSigmaPipeline",)
    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        # the published pipeline names the class of that time
        "transformer": ("PixArtTransformer2DModel", "Transformer2DModel"),
        "vae": ("AutoencoderKL", "AutoencoderTiny"),
        "text_encoder": ("T5EncoderModel",),
        "tokenizer": ("T5Tokenizer", "T5TokenizerFast"),
    }
    network = "transformer"
    guidance_scale = 4.5  # the default of diffusers' pipeline
    has_outputs_for_variance = True
    upcasts_codec = True  # it is Stable Diffusion XL's
    camera_module = "adaln_single.emb"

    @classmethod
    def check(cls, configs: Mapping[str, dict[str, Any]], where: str) -> None:
        """Check the transformer's channels, and that it asks for no further sizes.

        Raises:
            WeightsError: If it does, as PixArt-α's of 1024 pixels does.
        """
        super().check(configs, where)
        config = configs["transformer"]
        asks = config.get("use_additional_conditions")
        if asks or (asks is None and config["sample_size"] == 128):  # diffusers' rule for files that do not say
            raise WeightsError(
                f"{where}: the transformer's use_additional_conditions = {asks!r} needs sizes as inputs, as PixArt-α's "
                "does; use PixArt-Σ"
            )

    def lengths(self) -> dict[str, int]:
        """300 tokens."""
        return {"text_encoder": _LENGTH}

    @classmethod
    def readers(cls, folder: Path) -> dict[str, TextReader]:
        """T5's tokenizer, on texts in lower case."""
        from methods.priors.pipeline.t5_reader import T5Reader  # transformers takes seconds to import

        return {"text_encoder": T5Reader(folder, _LENGTH, lower=True)}

    def embed(self, tokens: Mapping[str, Tensor], encoders: Mapping[str, Any]) -> Conditioning:
        """T5's last hidden states ``(1 300 d)`` and the mask ``(1 300)``."""
        return embed_t5(tokens["text_encoder"], encoders["text_encoder"])

    def predict(
        self, network: Any, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Any
    ) -> Tensor:
        """The noise, the first half of the transformer's output; the second is a learned variance."""
        output: Tensor = network(
            noisy,
            encoder_hidden_states=conditioning.sequence.to(noisy.dtype),
            encoder_attention_mask=conditioning.mask,
            timestep=timesteps,
            added_cond_kwargs={"resolution": None, "aspect_ratio": None},
            **more,
        ).sample
        return output.chunk(2, dim=1)[0]
