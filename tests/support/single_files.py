"""Checkpoints in one file, with the names that Stable Diffusion was published with (LDM's)."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

#: Parts of names within a UNet's and an autoencoder's blocks: diffusers' and LDM's.
_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out", "query": "q",
              "key": "k", "value": "v", "proj_attn": "proj_out"}  # fmt: skip
_ENDS = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
         "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}  # fmt: skip


def write_ldm_checkpoint(pipeline: Path, path: Path, *, autoencoder: bool = True) -> None:
    """Write the networks of a Stable Diffusion 1 pipeline of one layer a block as one file.

    As in published files there are buffers of the training's schedule in float32, whatever the weights are in.
    """
    unet = load_file(pipeline / "unet" / "diffusion_pytorch_model.safetensors")
    vae = load_file(pipeline / "vae" / "diffusion_pytorch_model.safetensors")
    text = load_file(pipeline / "text_encoder" / "model.safetensors")
    ups = 1 + max(int(found[1]) for name in vae if (found := re.match(r"decoder\.up_blocks\.(\d)", name)))
    tensors = {f"model.diffusion_model.{_in_unet(name, set(unet))}": value for name, value in unet.items()}
    if autoencoder:
        tensors |= dict(_of_autoencoder(name, value, ups) for name, value in vae.items())
    tensors |= {f"cond_stage_model.transformer.{name}": value for name, value in text.items()}
    tensors["alphas_cumprod"] = torch.linspace(1, 0, 1000)
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)


def _in_unet(name: str, names: set[str]) -> str:
    """LDM's name of a weight of a UNet with one layer a block, so two places for each block going down and going up."""
    for ours, theirs in _ENDS.items():
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs)
    if found := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        place = 1 if found[1] == "attentions" else 2 * int(found[2])
        return f"middle_block.{place}.{_in_block(found[1], found[3])}"
    found = re.match(r"(down|up)_blocks\.(\d)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.*)", name)
    assert found, name
    way, block, part, layer, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    place = 2 * block + (1 if part.endswith("samplers") else layer)
    if way == "down":
        inner = {"resnets": "0", "attentions": "1", "downsamplers": "0"}[part]
        return f"input_blocks.{place + 1}.{inner}.{_in_block(part, rest)}"
    has_attention = any(other.startswith(f"up_blocks.{block}.attentions") for other in names)
    inner = {"resnets": "0", "attentions": "1", "upsamplers": "2" if has_attention else "1"}[part]
    return f"output_blocks.{place}.{inner}.{_in_block(part, rest)}"


def _in_block(part: str, rest: str) -> str:
    if part == "resnets":
        inner, kind = rest.rsplit(".", 1)
        return f"{_RESNET[inner]}.{kind}"
    return rest.replace("conv.", "op.", 1) if part == "downsamplers" else rest


def _of_autoencoder(name: str, value: Tensor, ups: int) -> tuple[str, Tensor]:
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.", r"encoder.down.\1.block.", name)
    name = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0\.", r"encoder.down.\1.downsample.", name)
    if found := re.match(r"decoder\.up_blocks\.(\d)\.(.*)", name):  # LDM counts them from the last
        inner = found[2].replace("resnets.", "block.").replace("upsamplers.0.", "upsample.")
        name = f"decoder.up.{ups - 1 - int(found[1])}.{inner}"
    name = re.sub(r"mid_block\.resnets\.(\d)\.", lambda found: f"mid.block_{int(found[1]) + 1}.", name)
    if "mid_block.attentions.0." in name:
        head, rest = name.split("mid_block.attentions.0.")
        inner, kind = rest.rsplit(".", 1)
        inner = _ATTENTION[inner]
        name = f"{head}mid.attn_1.{inner}.{kind}"
        if kind == "weight" and inner != "norm":  # LDM's attention has convolutions of one pixel
            value = value.reshape(*value.shape[:2], 1, 1)
    return f"first_stage_model.{name}", value
