"""Pipelines of random weights in Stable Diffusion's layout, tiny for the CPU and of 2.1's own size for a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from methods.contracts import Prior
from methods.priors.loading import cached_prior
from methods.priors.pipeline.architecture import Architecture
from methods.priors.pipeline.hub import SD21 as SD21_FOLDER
from prompts.toybox import write_clip_tokenizer

SD21: dict[str, dict[str, Any]] = dict(Architecture.of_file(SD21_FOLDER.shapes).configs)
TINY: dict[str, dict[str, Any]] = {
    "unet": SD21["unet"] | {
        "sample_size": 8, "block_out_channels": (8, 8, 16, 16), "layers_per_block": 1, "cross_attention_dim": 16,
        "attention_head_dim": [1, 1, 2, 2], "norm_num_groups": 4,
    },
    "vae": SD21["vae"] | {
        "sample_size": 64, "block_out_channels": (4, 4, 8, 8), "layers_per_block": 1, "norm_num_groups": 4,
    },
    "text_encoder": SD21["text_encoder"] | {
        "vocab_size": 231, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2,
    },
}  # fmt: skip


def networks(sizes: dict[str, dict[str, Any]]) -> dict[str, torch.nn.Module]:
    """The networks as their libraries draw them."""
    with torch.random.fork_rng():
        return {
            "unet": UNet2DConditionModel(**sizes["unet"]),
            "vae": AutoencoderKL(**sizes["vae"]),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**sizes["text_encoder"])),
        }


def _write(folder: Path, sizes: dict[str, dict[str, Any]], dtype: torch.dtype) -> None:
    for name, network in networks(sizes).items():
        network.to(dtype).save_pretrained(folder / name)
    DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").save_pretrained(
        folder / "scheduler"
    )
    write_clip_tokenizer(folder / "tokenizer")
    index = {
        "_class_name": "StableDiffusionPipeline", "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
    }  # fmt: skip
    (folder / "model_index.json").write_text(json.dumps(index))


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``pipeline(size)`` is the folder of the ``tiny`` or the ``full`` one, written once."""
    written: dict[str, Path] = {}

    def of(size: str) -> Path:
        if size not in written:
            written[size] = tmp_path_factory.mktemp("pipelines") / size
            sizes, dtype = {"full": (SD21, torch.float16), "tiny": (TINY, torch.float32)}[size]
            _write(written[size], sizes, dtype)
        return written[size]

    return of


@pytest.fixture
def full_size() -> dict[str, torch.nn.Module]:
    """The networks that a GPU gets, without their weights."""
    with torch.device("meta"):
        return networks(SD21)


@pytest.fixture
def prior(device: str, pipeline: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Prior]:
    """The random pipeline for ``device``, a parameter of the test; ``prior.name`` is what a study calls it."""
    yield from _loaded(pipeline("full" if device == "cuda" else "tiny"), device, monkeypatch)


@pytest.fixture(scope="module")
def full_size_prior(request: pytest.FixtureRequest, pipeline: Callable[[str], Path]) -> Iterator[Prior]:
    """The full-size pipeline on the device that is the fixture's parameter."""
    with pytest.MonkeyPatch.context() as patch:
        yield from _loaded(pipeline("full"), request.param, patch)


def _loaded(folder: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prior]:
    monkeypatch.setenv("SDIBENCH_DEVICE", device)
    cached_prior.cache_clear()
    loaded = cached_prior(str(folder), "mode")
    loaded.name = str(folder)
    yield loaded
    cached_prior.cache_clear()
