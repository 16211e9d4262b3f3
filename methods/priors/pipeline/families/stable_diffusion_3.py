"""Stable Diffusion 3 and 3.5: a transformer that is a rectified flow, with two CLIP text encoders and T5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.conditioning import Conditioning
from methods.priors.pipeline.families.family import Family, clip_length
from methods.priors.pipeline.text_reader import TextReader
from methods.weights import WeightsError

_T5_TOKENS = 256  # the default of diffusers' pipeline

#: The attention of image and text together, as diffusers' own training of adapters names it.
JOINT_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")


class StableDiffusion3(Family):
    """Stable Diffusion 3 (arXiv 2403.03206) and 3.5.

    The sequence is the penultimate hidden states of both CLIP text encoders side by side, filled up with zeros to the
    width of T5's, and T5's after them; the pooled vector is that of both CLIPs.  No prompt is the empty text.
    """

    pipelines = ("StableDiffusion3Pipeline",)
    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "transformer": ("SD3Transformer2DModel",),
        "vae": ("AutoencoderKL", "AutoencoderTiny"),
        "text_encoder": ("CLIPTextModelWithProjection",),
        "text_encoder_2": ("CLIPTextModelWithProjection",),
        "text_encoder_3": ("T5EncoderModel",),
        "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
        "tokenizer_2": ("CLIPTokenizer", "CLIPTokenizerFast"),
        "tokenizer_3": ("T5Tokenizer", "T5TokenizerFast"),
    }
    network = "transformer"
    guidance_scale = 7.0  # the default of diffusers' pipeline
    projections = JOINT_ATTENTION
    camera_module = "time_text_embed"

    def __init__(self, configs: Mapping[str, dict[str, Any]], resolution: int | None = None) -> None:
        super().__init__(configs, resolution)
        positions = configs["transformer"].get("pos_embed_max_size")
        if positions is not None and self.side > (most := int(positions) * self.patch(configs)):
            raise WeightsError(
                f"resolution = {self.resolution}: must be at most {most * self.factor}, which the prior's network has "
                "positions for"
            )

    @classmethod
    def check(cls, configs: Mapping[str, dict[str, Any]], where: str) -> None:
        """Check the transformer's inputs against the widths of the text encoders.

        Raises:
            WeightsError: If they differ.
        """
        super().check(configs, where)
        transformer = configs["transformer"]
        pooled = sum(int(configs[name].get("projection_dim", 512)) for name in ("text_encoder", "text_encoder_2"))
        wide = int(configs["text_encoder_3"].get("d_model", 512))
        for key, right in (("pooled_projection_dim", pooled), ("joint_attention_dim", wide)):
            if (found := transformer.get(key)) != right:
                raise WeightsError(f"{where}: the transformer's {key} = {found!r}, but its text encoders give {right}")

    def lengths(self) -> dict[str, int]:
        """CLIP's number of positions, and T5's 256 tokens."""
        clips = {name: clip_length(self.configs[name]) for name in ("text_encoder", "text_encoder_2")}
        return {**clips, "text_encoder_3": _T5_TOKENS}

    @classmethod
    def readers(cls, folder: Path) -> dict[str, TextReader]:
        """Both of CLIP's tokenizers and T5's."""
        # imported here: transformers takes seconds to import
        from methods.priors.pipeline.clip_reader import ClipReader
        from methods.priors.pipeline.t5_reader import T5Reader

        return {
            "text_encoder": ClipReader(folder),
            "text_encoder_2": ClipReader(folder, "tokenizer_2", "text_encoder_2"),
            "text_encoder_3": T5Reader(folder, _T5_TOKENS, "tokenizer_3", "text_encoder_3"),
        }

    def embed(self, tokens: Mapping[str, Tensor], encoders: Mapping[str, Any]) -> Conditioning:
        """Sequence ``(1 n d)`` and pooled vector ``(1 p)``."""
        clips = [encoders[name](tokens[name], output_hidden_states=True) for name in ("text_encoder", "text_encoder_2")]
        t5 = encoders["text_encoder_3"](tokens["text_encoder_3"]).last_hidden_state
        clip = torch.cat([output.hidden_states[-2] for output in clips], dim=-1)
        clip = torch.nn.functional.pad(clip, (0, t5.shape[-1] - clip.shape[-1]))
        sequence = torch.cat([clip.float(), t5.float()], dim=1)
        return Conditioning(sequence, pooled=torch.cat([output.text_embeds for output in clips], dim=-1).float())

    def predict(
        self, network: Any, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Any
    ) -> Tensor:
        """The velocity under the sequence and the pooled vector."""
        if conditioning.pooled is None:
            raise ValueError("the conditioning is not that of Stable Diffusion 3: it has no pooled vector")
        output: Tensor = network(
            noisy,
            timestep=timesteps,
            encoder_hidden_states=conditioning.sequence.to(noisy.dtype),
            pooled_projections=conditioning.pooled.to(noisy.dtype),
            **more,
        ).sample
        return output
