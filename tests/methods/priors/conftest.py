"""A pipeline of random weights in Stable Diffusion's own file layout, old keys and buffers included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from tiny_pipelines import drawn
from transformers import CLIPTextConfig, CLIPTextModel

from prompts.toybox import write_clip_tokenizer

#: scheduler_config.json of Stable Diffusion 2.1-base: no timestep_spacing, no prediction of x0.
PNDM = {
    "_class_name": "PNDMScheduler", "_diffusers_version": "0.10.0.dev0", "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": False, "num_train_timesteps": 1000,
    "prediction_type": "epsilon", "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
    "trained_betas": None,
}  # fmt: skip
INDEX = {
    "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.10.0.dev0",
    "feature_extractor": ["transformers", "CLIPImageProcessor"], "requires_safety_checker": False,
    "safety_checker": [None, None], "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
}  # fmt: skip
#: Names of the autoencoder's attention at the time of publication, by the present ones.
_OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


class TinyStableDiffusion(NamedTuple):
    """The folder, and the networks that were written into it."""

    folder: Path
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel


def write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))


@pytest.fixture(scope="session")
def stable_diffusion(tmp_path_factory: pytest.TempPathFactory) -> TinyStableDiffusion:
    """The pipeline, for reading only."""
    return write_stable_diffusion(tmp_path_factory.mktemp("hub") / "tiny-stable-diffusion")


def write_stable_diffusion(folder: Path) -> TinyStableDiffusion:
    """Write the pipeline: images of 32 × 32, latents of 4 × 8 × 8."""
    unet = drawn(
        lambda: UNet2DConditionModel(
            sample_size=8, in_channels=4, out_channels=4, block_out_channels=(16, 32), layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=16, attention_head_dim=[2, 4], use_linear_projection=True, norm_num_groups=8,
        ),
        1,
    )  # fmt: skip
    vae = drawn(
        lambda: AutoencoderKL(
            block_out_channels=(8, 8, 16), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=32,
            down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
            scaling_factor=0.18215,
        ),
        2,
    )  # fmt: skip
    config = CLIPTextConfig(
        vocab_size=231, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=24, bos_token_id=229, eos_token_id=230, pad_token_id=230, hidden_act="gelu",
    )  # fmt: skip
    text_encoder = drawn(lambda: CLIPTextModel(config), 3)
    for name, network in (("unet", unet), ("vae", vae), ("text_encoder", text_encoder)):
        network.save_pretrained(folder / name)
    _age(folder)
    write_clip_tokenizer(folder / "tokenizer")
    write_json(folder / "scheduler" / "scheduler_config.json", PNDM)
    write_json(folder / "model_index.json", INDEX)
    (folder / "README.md").write_text("a file that no prior needs")
    write_json(folder / "feature_extractor" / "preprocessor_config.json", {})
    (folder / "v2-1_512-ema-pruned.ckpt").write_bytes(b"a pickle that nothing may touch")
    return TinyStableDiffusion(folder, unet, vae, text_encoder)


def _age(folder: Path) -> None:
    """Write the weights under their published names, and the configuration of that time."""
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    from safetensors.torch import load_file

    tensors = load_file(path)
    for new, old in _OLD_NAMES.items():
        tensors = {name.replace(f"0.{new}.", f"0.{old}."): value for name, value in tensors.items()}
    assert sum(".query." in name for name in tensors) == 4
    save_file(tensors, path, metadata={"format": "pt"})
    path = folder / "text_encoder" / "model.safetensors"
    tensors = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in load_file(path).items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(24)[None]
    save_file(tensors, path, metadata={"format": "pt"})
    path = folder / "unet" / "config.json"
    write_json(path, json.loads(path.read_text()) | {"dual_cross_attention": False})
