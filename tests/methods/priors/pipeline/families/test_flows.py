"""Stable Diffusion 3 and FLUX.1 as priors, against diffusers' own pipelines on the same files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_flows import PATH, assert_same_flow, flux, stable_diffusion_3, walk_flow, walk_flow_of_prior
from tiny_pipelines import SCALE, change

from methods.diffusion.noise_levels import flow_levels
from methods.priors.loading import load_prior, prior_card
from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.families.flux import pack, unpack
from methods.priors.pipeline.settings import PipelineSettings
from methods.weights import WeightsError

PROMPTS = ["a red car", "a blue duck, back view"]
BUILD = {
    "sd3": stable_diffusion_3,
    "flux-dev": flux,
    "flux-schnell": lambda folder: flux(folder, guidance_embeds=False),
}


@pytest.fixture(scope="module", params=BUILD)
def pipe(request, tmp_path_factory):
    return BUILD[request.param](tmp_path_factory.mktemp("flows") / request.param)


@pytest.fixture(scope="module")
def prior(pipe) -> DiffusersPrior:
    return DiffusersPrior(pipe.folder)


@pytest.fixture
def start() -> torch.Tensor:
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def copies(tmp_path):
    def make(name: str) -> Path:
        BUILD[name](tmp_path / name)
        return tmp_path / name

    return make


def is_flux(pipe) -> bool:
    return "Flux" in type(pipe).__name__


@pytest.mark.parametrize("negative", [None, ["blurry", "dark"]], ids=["null", "negative"])
def test_every_step_is_diffusers_own(pipe, prior, start, negative) -> None:
    """Velocity, pooled vectors, packing and classifier-free guidance, from the same latents z."""
    against = negative or ["", ""]
    if is_flux(pipe):
        given = {"guidance_scale": 1.0, "true_cfg_scale": SCALE, "height": 32, "width": 32, "latents": pack(start)}
        length = 512 if pipe.transformer.config.guidance_embeds else 256
        given |= {"negative_prompt": against, "max_sequence_length": length}
        theirs = walk_flow(pipe, prior_at(pipe), PROMPTS, given.pop("latents"), **given)
        theirs = theirs._replace(start=start, latents=[unpack(tokens, 8) for tokens in theirs.latents])
    else:
        theirs = walk_flow(pipe, prior, PROMPTS, start, guidance_scale=SCALE, negative_prompt=negative)
    ours = walk_flow_of_prior(prior_at(pipe), PROMPTS, theirs, negative)
    assert_same_flow(ours, theirs)
    assert ours.calls == len(PATH)
    assert theirs.calls == len(PATH) * (2 if is_flux(pipe) else 1)  # FLUX's pipeline asks one row after the other


def prior_at(pipe) -> DiffusersPrior:
    """The prior of a pipeline at latents of 8², which FLUX's configuration does not say."""
    return DiffusersPrior(pipe.folder, PipelineSettings(resolution=32))


def test_shapes_levels_and_card(pipe, prior) -> None:
    torch.testing.assert_close(prior.alphas_cumprod, flow_levels().float())
    small = prior_at(pipe)
    assert (small.resolution, small.latent_shape) == (32, (4, 8, 8))
    assert prior.latent_shape == ((4, 128, 128) if is_flux(pipe) else (4, 8, 8))
    scale = prior_card(str(pipe.folder)).guidance_scale
    assert scale == load_prior(str(pipe.folder)).guidance_scale
    schnell = is_flux(pipe) and not pipe.transformer.config.guidance_embeds
    assert scale == (1.0 if schnell else 3.5 if is_flux(pipe) else 7.0)


def test_images_and_latents_are_diffusers_own(pipe, start) -> None:
    prior = prior_at(pipe)
    rgb = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    scale, shift = pipe.vae.config.scaling_factor, pipe.vae.config.shift_factor
    theirs = (pipe.vae.encode(2 * rgb - 1).latent_dist.mode() - shift) * scale
    torch.testing.assert_close(prior.encode(rgb), theirs, rtol=1e-5, atol=1e-5)
    image = pipe.image_processor.postprocess(pipe.vae.decode(start / scale + shift).sample, output_type="pt")
    torch.testing.assert_close(prior.decode(start), image, rtol=1e-5, atol=1e-5)


def test_the_null_is_the_empty_text(prior) -> None:
    null, empty = prior.null(2), prior.embed(["", ""])
    assert torch.equal(null.sequence, empty.sequence)
    assert torch.equal(null.pooled, empty.pooled)


def test_an_adapted_copy_predicts_what_the_prior_does_until_it_is_trained_for_a_camera(pipe, start) -> None:
    prior = prior_at(pipe)
    times, text, cameras = torch.tensor([700, 300]), prior.embed(PROMPTS), torch.eye(16)[:2]
    before = prior.predict_noise(start, times, text)
    adapted = prior.adapted(2, torch.Generator().manual_seed(0))
    assert torch.equal(adapted.predict_noise(start, times, text, cameras), before)
    names = list(adapted.parameters())
    assert any("add_q_proj" in name for name in names)
    assert any("embedding.linear_2" in name for name in names)
    optimiser = torch.optim.Adam(adapted.parameters().values(), 1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        adapted.predict_noise(start, times, text, cameras).square().mean().backward()
        optimiser.step()
    same = torch.zeros(2, dtype=torch.int64)
    seen = adapted.predict_noise(start[same], times[same], text[same], cameras)
    assert not torch.allclose(seen[0], seen[1], atol=1e-4)  # only the cameras differ
    assert torch.equal(prior.predict_noise(start, times, text), before)


def test_tokens_of_latents_and_back() -> None:
    latents = torch.randn(2, 3, 6, 4, generator=torch.Generator().manual_seed(0))
    tokens = pack(latents)
    assert tokens.shape == (2, 6, 12)
    assert torch.equal(tokens[0, 1, :4], latents[0, 0, :2, 2:].flatten())
    assert torch.equal(unpack(tokens, 6), latents)


DAMAGE = {
    "pooled": ("sd3", "transformer/config.json", {"pooled_projection_dim": 7},
        "the transformer's pooled_projection_dim = 7, but its text encoders give 22"),
    "text": ("flux-dev", "text_encoder_2/config.json", {"d_model": 8},
        "joint_attention_dim = 16, but its text encoders give 8"),
    "control": ("flux-dev", "transformer/config.json", {"in_channels": 32},
        "the transformer takes 8 channels and the latents have 4"),
    "no T5": ("sd3", "model_index.json", {"text_encoder_3": [None, None]},
        "has nothing as text_encoder_3; it must be T5Enc"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_what_cannot_be_used_is_one_line(copies, name) -> None:
    kind, file, fields, message = DAMAGE[name]
    folder = copies(kind)
    change(folder, file, **fields)
    with pytest.raises(WeightsError) as caught:
        load_prior(str(folder))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "resolution", "message"),
    [("flux-dev", 36, "a multiple of 8"), ("sd3", 36, "a multiple of 8"), ("sd3", 264, "at most 256")],
)
def test_a_resolution_that_has_no_tokens_is_named(copies, name, resolution, message) -> None:
    folder = copies(name)
    with pytest.raises(WeightsError, match=f"resolution = {resolution}: must be {message}"):
        DiffusersPrior(folder, PipelineSettings(resolution=resolution))
