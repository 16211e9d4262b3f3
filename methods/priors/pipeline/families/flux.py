"""FLUX.1: a transformer that is a rectified flow on packed latents, with CLIP's pooled vector and T5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.conditioning import Conditioning
from methods.priors.pipeline.families.family import Family, clip_length
from methods.priors.pipeline.families.stable_diffusion_3 import JOINT_ATTENTION
from methods.priors.pipeline.text_reader import TextReader
from methods.weights import WeightsError

_SIDE = 128  # of the latents
_PACK = 2  # latents along a side that are one token
_T5_TOKENS = {True: 512, False: 256}  # of the model with distilled guidance (dev), and the few-step one (schnell)

#: The scale of the guidance that FLUX.1-dev was distilled with, as an input of the network: without it, since methods
#: have a guidance of their own, from the null prompt.
_DISTILLED_GUIDANCE = 1.0


class Flux(Family):
    """FLUX.1 dev and schnell (Black Forest Labs 2024).

    The sequence is T5's, the pooled vector CLIP's; the network sees two by two latents as one token.  FLUX.1-dev was
    distilled from guided predictions, and the scale of that guidance is an input; here it is 1, and guidance is
    classifier-free as under every other prior.
    """

    pipelines = ("FluxPipeline",)
    components: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "transformer": ("FluxTransformer2DModel",),
        "vae": ("AutoencoderKL", "AutoencoderTiny"),
        "text_encoder": ("CLIPTextModel",),
        "text_encoder_2": ("T5EncoderModel",),
        "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
        "tokenizer_2": ("T5Tokenizer", "T5TokenizerFast"),
    }
    network = "transformer"
    guidance_scale = 3.5  # diffusers' default of the distilled one; none is published for the classifier-free one
    projections = JOINT_ATTENTION
    camera_module = "time_text_embed"

    @classmethod
    def own_side(cls, configs: Mapping[str, dict[str, Any]]) -> int:  # noqa: ARG003, the configuration does not say it
        """Side of the latents of images of 1024²."""
        return _SIDE

    @classmethod
    def patch(cls, configs: Mapping[str, dict[str, Any]]) -> int:  # noqa: ARG003, packing is the pipeline's
        """Latents are packed two by two."""
        return _PACK

    @classmethod
    def default_scale(cls, configs: Mapping[str, dict[str, Any]]) -> float:
        """3.5, or 1 for the few-step model, whose network has no input for guidance."""
        return cls.guidance_scale if configs["transformer"].get("guidance_embeds") else 1.0

    @classmethod
    def check(cls, configs: Mapping[str, dict[str, Any]], where: str) -> None:
        """Check the transformer's inputs, whose channels are those of four latents.

        Raises:
            WeightsError: If they do not fit the latents or the text encoders.
        """
        transformer = {**configs["transformer"], "sample_size": _SIDE}
        given = int(transformer.get("in_channels", 64))
        returned = int(transformer.get("out_channels") or given)
        one = {**transformer, "in_channels": given // _PACK**2, "out_channels": returned // _PACK**2}
        super().check({**configs, "transformer": one}, where)
        clip, t5 = configs["text_encoder"].get("hidden_size", 512), configs["text_encoder_2"].get("d_model", 512)
        for key, right in (("pooled_projection_dim", clip), ("joint_attention_dim", t5)):
            if (found := transformer.get(key)) != right:
                raise WeightsError(f"{where}: the transformer's {key} = {found!r}, but its text encoders give {right}")

    def lengths(self) -> dict[str, int]:
        """CLIP's number of positions, and T5's 512 tokens (256 of the few-step model)."""
        return {
            "text_encoder": clip_length(self.configs["text_encoder"]),
            "text_encoder_2": _t5_tokens(self.configs["transformer"]),
        }

    @classmethod
    def readers(cls, folder: Path) -> dict[str, TextReader]:
        """CLIP's tokenizer and T5's."""
        # imported here: transformers takes seconds to import
        from methods.priors.pipeline.clip_reader import ClipReader
        from methods.priors.pipeline.json_file import read_json
        from methods.priors.pipeline.t5_reader import T5Reader

        length = _t5_tokens(read_json(folder / "transformer" / "config.json"))
        return {
            "text_encoder": ClipReader(folder),
            "text_encoder_2": T5Reader(folder, length, "tokenizer_2", "text_encoder_2"),
        }

    def embed(self, tokens: Mapping[str, Tensor], encoders: Mapping[str, Any]) -> Conditioning:
        """Sequence ``(1 n d)`` and pooled vector ``(1 p)``."""
        pooled = encoders["text_encoder"](tokens["text_encoder"]).pooler_output
        sequence = encoders["text_encoder_2"](tokens["text_encoder_2"]).last_hidden_state
        return Conditioning(sequence.float(), pooled=pooled.float())

    def predict(
        self, network: Any, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning, **more: Any
    ) -> Tensor:
        """The velocity under the sequence and the pooled vector."""
        if conditioning.pooled is None:
            raise ValueError("the conditioning is not that of FLUX: it has no pooled vector")
        guidance = None
        if self.configs["transformer"].get("guidance_embeds"):
            guidance = torch.full((len(noisy),), _DISTILLED_GUIDANCE, device=noisy.device)
        output: Tensor = network(
            pack(noisy),
            encoder_hidden_states=conditioning.sequence.to(noisy.dtype),
            pooled_projections=conditioning.pooled.to(noisy.dtype),
            timestep=timesteps.to(noisy.dtype) / 1000,
            img_ids=_positions(noisy),
            txt_ids=torch.zeros(conditioning.sequence.shape[1], 3, device=noisy.device, dtype=noisy.dtype),
            guidance=guidance,
            **more,
        ).sample
        return unpack(output, noisy.shape[-2])


def pack(latents: Tensor) -> Tensor:
    """Latents ``(b c h w)`` to tokens ``(b hw/4 4c)``."""
    b, c, h, w = latents.shape
    blocks = latents.reshape(b, c, h // _PACK, _PACK, w // _PACK, _PACK)
    return blocks.permute(0, 2, 4, 1, 3, 5).reshape(b, h * w // _PACK**2, c * _PACK**2)


def unpack(tokens: Tensor, height: int) -> Tensor:
    """Tokens ``(b hw/4 4c)`` to latents ``(b c h w)`` of ``height`` rows."""
    b, n, c = tokens.shape
    rows = height // _PACK
    blocks = tokens.reshape(b, rows, n // rows, c // _PACK**2, _PACK, _PACK)
    return blocks.permute(0, 3, 1, 4, 2, 5).reshape(b, c // _PACK**2, height, n // rows * _PACK)


def _positions(latents: Tensor) -> Tensor:
    """``(hw/4 3)``: zero, row and column of each token."""
    rows, columns = (size // _PACK for size in latents.shape[-2:])
    grid = torch.zeros(rows, columns, 3, device=latents.device, dtype=latents.dtype)
    grid[..., 1] += torch.arange(rows, device=latents.device)[:, None]
    grid[..., 2] += torch.arange(columns, device=latents.device)
    return grid.reshape(-1, 3)


def _t5_tokens(transformer: Mapping[str, Any]) -> int:
    return _T5_TOKENS[bool(transformer.get("guidance_embeds"))]
