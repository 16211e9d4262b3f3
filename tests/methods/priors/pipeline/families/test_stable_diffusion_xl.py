"""Stable Diffusion XL as a prior, against diffusers' own pipeline on the same files."""

from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from tiny_pipelines import SCALE, assert_same_walk, change, sdxl, walk, walk_of_prior

from methods.contracts import LargeTextEncoders
from methods.priors.loading import load_prior, prior_card
from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.settings import PipelineSettings
from methods.weights import WeightsError

PROMPTS = ["a red car", "a blue duck, back view"]


@pytest.fixture(scope="module")
def pipe(tmp_path_factory) -> StableDiffusionXLPipeline:
    folder = tmp_path_factory.mktemp("sdxl") / "xl"
    found = sdxl(folder)
    found.folder = folder
    return found


@pytest.fixture
def copy(pipe, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pipe.folder, tmp_path / "copy"))


@pytest.fixture
def start() -> torch.Tensor:
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("negative", [None, ["blurry", "dark"]], ids=["null", "negative"])
def test_every_step_is_diffusers_own(pipe, start, negative) -> None:
    """Noise, pooled vectors, time ids, guidance, and zeros in place of the empty prompt."""
    theirs = walk(pipe, PROMPTS, start, negative_prompt=negative)
    ours = walk_of_prior(DiffusersPrior(pipe.folder), PROMPTS, start, negative, SCALE)
    assert_same_walk(ours, theirs)


def test_the_null_is_zeros_with_ids_or_the_empty_text_if_the_pipeline_says_so(pipe, copy, start) -> None:
    prior = DiffusersPrior(pipe.folder)
    null, empty = prior.null(2), prior.embed(["", ""])
    assert null.sequence.shape == (2, 24, 32)
    assert not null.sequence.any()
    assert not null.pooled.any()
    assert torch.equal(null.ids, empty.ids)
    assert empty.sequence.any()
    change(copy, "model_index.json", force_zeros_for_empty_prompt=False)
    other = StableDiffusionXLPipeline.from_pretrained(copy, add_watermarker=False, local_files_only=True)
    other.set_progress_bar_config(disable=True)
    assert torch.equal(DiffusersPrior(copy).null(1).sequence, empty.sequence[:1])
    assert_same_walk(walk_of_prior(DiffusersPrior(copy), PROMPTS, start, None, SCALE), walk(other, PROMPTS, start))


def test_another_resolution_has_its_own_ids(pipe) -> None:
    start = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    prior = DiffusersPrior(pipe.folder, PipelineSettings(resolution=64))
    assert prior.latent_shape == (4, 16, 16)
    assert prior.resolution == 64
    assert prior.embed(["a"]).ids.tolist() == [[64, 64, 0, 0, 64, 64]]
    assert_same_walk(walk_of_prior(prior, PROMPTS, start, None, SCALE), walk(pipe, PROMPTS, start, height=64, width=64))


def test_images_and_latents_are_diffusers_own(pipe, start) -> None:
    prior = DiffusersPrior(pipe.folder)
    rgb = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    theirs = 0.13025 * pipe.vae.encode(2 * rgb - 1).latent_dist.mode()
    torch.testing.assert_close(prior.encode(rgb), theirs, rtol=1e-5, atol=1e-5)
    image = pipe.image_processor.postprocess(pipe.vae.decode(start / 0.13025).sample, output_type="pt")
    torch.testing.assert_close(prior.decode(start), image, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "upcast", "expected"),
    [
        (torch.float16, True, torch.float32),
        (torch.bfloat16, True, torch.bfloat16),
        (torch.float32, True, torch.float32),
        (torch.float16, False, torch.float16),
    ],
    ids=str,
)
def test_the_autoencoder_s_precision_is_what_its_configuration_asks_for(copy, dtype, upcast, expected) -> None:
    change(copy, "vae/config.json", force_upcast=upcast)
    prior = DiffusersPrior(copy, PipelineSettings(dtype=dtype))
    assert prior._codec._network.dtype == expected
    assert prior._network.dtype == dtype
    assert prior.encode(torch.rand(1, 3, 32, 32)).dtype == torch.float32


def test_text_encoders_are_dropped_by_the_first_prediction_and_embeddings_stay(pipe, start) -> None:
    prior = DiffusersPrior(pipe.folder)
    text, encoders = prior.embed(PROMPTS), prior._text_encoders
    assert (len(encoders._loaded), encoders.loads) == (2, 1)
    weights = [weakref.ref(value) for encoder in encoders().values() for value in encoder.parameters()]
    said = prior.predict_noise(start, torch.tensor([700, 300]), text)
    assert (len(encoders._loaded), encoders.loads) == (0, 1)
    gc.collect()
    assert not any(weight() is not None for weight in weights)  # the memory is free
    assert torch.equal(prior.embed(PROMPTS).sequence, text.sequence)
    prior.null(1)
    assert (len(encoders._loaded), encoders.loads) == (2, 2)  # for the shape of the empty text
    prior.predict_noise(start, torch.tensor([700, 300]), text)
    other = prior.embed(["a green horse"])
    assert (len(encoders._loaded), encoders.loads) == (2, 3)
    assert isinstance(prior, LargeTextEncoders)
    prior.drop_text_encoders()
    assert (len(encoders._loaded), encoders.loads) == (0, 3)
    fresh = DiffusersPrior(pipe.folder)
    assert torch.equal(other.sequence, fresh.embed(["a green horse"]).sequence)
    assert torch.equal(said, fresh.predict_noise(start, torch.tensor([700, 300]), text))


def test_few_step_models_have_no_guidance_of_their_own(copy) -> None:
    """The scale is the family's for a bare folder; 1 where the files say Turbo or Lightning."""
    assert prior_card(str(copy)).guidance_scale == 5.0
    euler = {"_class_name": "EulerAncestralDiscreteScheduler"}
    change(copy, "scheduler/scheduler_config.json", **euler, timestep_spacing="trailing")
    assert prior_card(str(copy)).guidance_scale == load_prior(str(copy)).guidance_scale == 1.0
    change(copy, "scheduler/scheduler_config.json", **euler, timestep_spacing="leading")
    assert prior_card(str(copy)).guidance_scale == 5.0
    change(copy, "unet/config.json", _name_or_path="ByteDance/SDXL-Lightning")
    assert prior_card(str(copy)).guidance_scale == 1.0


DAMAGE = {
    "refiner": ("unet/config.json", {"projection_class_embeddings_input_dim": 2560},
        "the UNet's projection_class_embeddings_input_dim = 2560, but a pooled vector of 12 and 6 sizes are 60"),
    "other input": ("unet/config.json", {"addition_embed_type": "text_image"}, "addition_embed_type = 'text_image'"),
    "no second encoder": ("model_index.json", {"text_encoder_2": [None, None]}, "has nothing as text_encoder_2"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_what_cannot_be_used_is_one_line(copy, name) -> None:
    file, fields, message = DAMAGE[name]
    change(copy, file, **fields)
    with pytest.raises(WeightsError) as caught:
        load_prior(str(copy))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
