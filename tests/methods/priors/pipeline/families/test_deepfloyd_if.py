"""DeepFloyd IF's first stage as a prior, against diffusers' own pipeline on the same files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler, IFPipeline
from safetensors.torch import load_file
from tiny_pipelines import SCALE, assert_same_walk, deepfloyd_if, walk, walk_of_prior

from methods.cameras import with_view
from methods.priors.loading import load_prior, prompt_reader
from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.settings import PipelineSettings
from methods.weights import WeightsError

PROMPTS = ["a red car", "A BLUE duck, back view "]


@pytest.fixture(scope="module")
def pipe(tmp_path_factory) -> IFPipeline:
    folder = tmp_path_factory.mktemp("if") / "stage-1"
    found = deepfloyd_if(folder)
    found.folder = folder
    return found


@pytest.fixture
def start() -> torch.Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("negative", [None, ["blurry", "dark"]], ids=["null", "negative"])
def test_every_step_is_diffusers_own(pipe, start, negative) -> None:
    theirs = walk(pipe, PROMPTS, start, negative_prompt=negative)
    assert_same_walk(walk_of_prior(DiffusersPrior(pipe.folder), PROMPTS, start, negative, SCALE), theirs)


def test_latents_are_the_image(pipe, start) -> None:
    prior = DiffusersPrior(pipe.folder)
    rgb = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.equal(prior.encode(rgb), 2 * rgb - 1)
    assert prior.encode(torch.rand(1, 3, 32, 32)).shape == (1, *prior.latent_shape)
    image = (start / 2 + 0.5).clamp(0, 1)  # the pipeline's last lines
    torch.testing.assert_close(prior.decode(start), image)
    torch.testing.assert_close(prior.bound(start), start.clamp(-1, 1), rtol=0, atol=1e-6)
    assert (prior.guidance_scale, prior.resolution, prior.latent_shape) == (7.0, 16, (3, 16, 16))


def test_its_levels_are_those_of_its_scheduler(pipe) -> None:
    """Of the published scheduler too, which learned its variance and clips by a threshold."""
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", variance_type="learned_range", thresholding=True)
    levels = DiffusersPrior(pipe.folder).alphas_cumprod
    torch.testing.assert_close(levels, scheduler.alphas_cumprod, rtol=1e-4, atol=1e-9)
    assert float(levels[980]) < 0.01


def test_a_text_of_77_tokens_fits_and_a_longer_one_keeps_its_view_words(pipe) -> None:
    reader = prompt_reader(str(pipe.folder))
    assert reader is not None
    assert reader.length == 77
    assert [reader.tokens_cut("a " * count) for count in (76, 77)] == [0, 1]
    text = with_view("a " * 90, "back view")
    tokens = reader(text)["text_encoder"][0].tolist()
    assert len(tokens) == 77
    tokenizer = pipe.tokenizer
    assert tokenizer.convert_ids_to_tokens(tokens[-4:]) == [",", "▁back", "▁view", "</s>"]
    assert reader.unknown_words("a Red car and 猫") == ["猫"]


def test_t5_keeps_float32_where_half_precision_overflows(pipe, tmp_path: Path) -> None:
    """transformers' rule for T5's wo; the conditioning is float32 in any case."""
    prior = DiffusersPrior(pipe.folder, PipelineSettings(dtype=torch.float16))
    encoder = prior._text_encoders()["text_encoder"]
    kinds = {name.rsplit(".", 2)[-2]: value.dtype for name, value in encoder.named_parameters()}
    assert kinds["wo"] == torch.float32
    assert kinds["wi_0"] == torch.float16
    full = DiffusersPrior(pipe.folder).embed(PROMPTS).sequence
    half = prior.embed(PROMPTS).sequence
    assert half.dtype == torch.float32
    assert 0 < float((half - full).norm() / full.norm()) < 0.01


def test_what_cannot_be_used_is_one_line(pipe, tmp_path: Path, monkeypatch) -> None:
    copy = Path(shutil.copytree(pipe.folder, tmp_path / "copy"))
    config = copy / "unet" / "config.json"
    fields = json.loads(config.read_text())
    for change, message in (
        ({"in_channels": 6}, "the UNet takes 6 channels and the latents have 3"),
        ({"out_channels": 3}, "the UNet returns 3 channels, right is 6"),
        ({"class_embed_type": "timestep"}, "the UNet's class_embed_type = 'timestep' needs an input"),
    ):
        config.write_text(json.dumps(fields | change))
        with pytest.raises(WeightsError, match=message):
            load_prior(str(copy))
    config.write_text(json.dumps(fields))
    (copy / "tokenizer" / "tokenizer.json").rename(copy / "tokenizer" / "spiece.model")
    monkeypatch.setattr("methods.priors.pipeline.t5_reader.find_spec", lambda _: None)
    with pytest.raises(WeightsError, match=r"spiece.model is read by a package .* run: pip install sentencepiece") as e:
        load_prior(str(copy))
    assert "\n" not in str(e.value)
    assert load_file(copy / "unet" / "diffusion_pytorch_model.safetensors")
