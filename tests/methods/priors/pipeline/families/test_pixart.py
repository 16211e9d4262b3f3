"""PixArt-Σ as a prior, against diffusers' own pipeline on the same files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import PixArtSigmaPipeline
from tiny_pipelines import SCALE, assert_same_walk, change, pixart, walk, walk_of_prior

from methods.diffusion.adaptation import Adaptation, low_rank_copy
from methods.priors.loading import load_prior
from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.settings import PipelineSettings
from methods.weights import WeightsError

PROMPTS = ["a red car", "A BLUE duck, back view "]


@pytest.fixture(scope="module")
def pipe(tmp_path_factory) -> PixArtSigmaPipeline:
    folder = tmp_path_factory.mktemp("pixart") / "sigma"
    found = pixart(folder)
    found.folder = folder
    return found


@pytest.fixture
def start() -> torch.Tensor:
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("negative", [None, ["blurry", "dark"]], ids=["null", "negative"])
def test_every_step_is_diffusers_own(pipe, start, negative) -> None:
    """Noise without the learned variance, the mask of the tokens, and guidance."""
    given = {} if negative is None else {"negative_prompt": negative}
    theirs = walk(pipe, PROMPTS, start, use_resolution_binning=False, **given)
    prior = DiffusersPrior(pipe.folder)
    assert_same_walk(walk_of_prior(prior, PROMPTS, start, negative, SCALE), theirs)
    assert prior.embed(PROMPTS).mask.sum(dim=1).tolist() == [4, 7]
    assert prior.guidance_scale == 4.5


def test_another_resolution_is_diffusers_own_too(pipe) -> None:
    start = torch.randn(2, 4, 12, 12, generator=torch.Generator().manual_seed(0))
    theirs = walk(pipe, PROMPTS, start, use_resolution_binning=False, height=48, width=48)
    prior = DiffusersPrior(pipe.folder, PipelineSettings(resolution=48))
    assert_same_walk(walk_of_prior(prior, PROMPTS, start, None, SCALE), theirs)
    with pytest.raises(WeightsError, match="resolution = 44: must be a multiple of 8, the pixels of one place"):
        DiffusersPrior(pipe.folder, PipelineSettings(resolution=44))


def test_padding_has_no_effect(pipe, start) -> None:
    """The mask is read: other vectors in the place of padding do not change the noise."""
    prior, times = DiffusersPrior(pipe.folder), torch.tensor([700, 300])
    text = prior.embed(PROMPTS)
    said = prior.predict_noise(start, times, text)
    text.sequence[:, 20:] += 1
    torch.testing.assert_close(prior.predict_noise(start, times, text), said)
    text.sequence[:, 2] += 1
    assert not torch.allclose(prior.predict_noise(start, times, text), said, atol=1e-3)


def test_images_and_latents_are_diffusers_own(pipe, start) -> None:
    prior = DiffusersPrior(pipe.folder)
    rgb = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    theirs = 0.13025 * pipe.vae.encode(2 * rgb - 1).latent_dist.mode()
    torch.testing.assert_close(prior.encode(rgb), theirs, rtol=1e-5, atol=1e-5)
    image = pipe.image_processor.postprocess(pipe.vae.decode(start / 0.13025).sample, output_type="pt")
    torch.testing.assert_close(prior.decode(start), image, rtol=1e-5, atol=1e-5)


def test_the_adapted_transformer_sees_cameras_and_learns(pipe, start) -> None:
    prior, noise = DiffusersPrior(pipe.folder), torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    times, text = torch.tensor([700, 300]), prior.embed(PROMPTS)
    said = prior.predict_noise(start, times, text)
    state = Adaptation(low_rank_copy(prior, 4), learning_rate=1e-2)
    trained = state.adapted.parameters()
    # two blocks with two attentions of four projections in two factors, and a camera's embedding of two layers
    assert sum(".lora_" in name for name in trained) == 2 * 2 * 4 * 2
    assert len(trained) == 2 * 2 * 4 * 2 + 4
    assert torch.equal(state.adapted.predict_noise(start, times, text, torch.ones(2, 16)), said)
    given = {"prior": prior, "conditioning": text, "cameras": torch.ones(2, 16)}
    losses = [float(state.train(start, noise, times, **given)) for _ in range(8)]
    assert losses[-1] < 0.98 * losses[0]
    one, other = (
        state.adapted.predict_noise(start, times, text, cameras) for cameras in (torch.ones(2, 16), torch.zeros(2, 16))
    )
    assert not torch.allclose(one, other, atol=1e-3)
    assert torch.equal(prior.predict_noise(start, times, text), said)


def test_the_published_index_names_another_class(pipe, tmp_path: Path, start) -> None:
    copy = Path(shutil.copytree(pipe.folder, tmp_path / "copy"))
    change(copy, "model_index.json", transformer=["diffusers", "Transformer2DModel"])
    change(copy, "transformer/config.json", _class_name="Transformer2DModel")
    times = torch.tensor([700, 300])
    found, right = (DiffusersPrior(folder) for folder in (copy, pipe.folder))
    assert torch.equal(
        found.predict_noise(start, times, found.embed(PROMPTS)), right.predict_noise(start, times, right.embed(PROMPTS))
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"use_additional_conditions": True}, "use_additional_conditions = True needs sizes as inputs, as PixArt-α's"),
        ({"use_additional_conditions": None, "sample_size": 128}, "use_additional_conditions = None needs sizes"),
        ({"in_channels": 9}, "the transformer takes 9 channels and the latents have 4"),
        ({"out_channels": 4}, "the transformer returns 4 channels, right is 8"),
    ],
)
def test_what_cannot_be_used_is_one_line(pipe, tmp_path: Path, fields, message) -> None:
    copy = Path(shutil.copytree(pipe.folder, tmp_path / "copy"))
    change(copy, "transformer/config.json", **fields)
    with pytest.raises(WeightsError) as caught:
        load_prior(str(copy))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
