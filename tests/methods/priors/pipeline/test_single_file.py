"""Checkpoints in one file become pipelines with the same networks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from single_files import write_ldm_checkpoint
from tiny_flows import flux
from tiny_pipelines import sdxl

from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.single_file import base_repository, convert_checkpoint
from methods.weights import WeightsError


@pytest.fixture(scope="module")
def checkpoint(stable_diffusion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("one") / "fine-tune.safetensors"
    write_ldm_checkpoint(stable_diffusion.folder, path)
    return path


def assert_same_prior(found: Path, right: Path) -> None:
    """The same noise, latents and images to the bit."""
    ours, theirs = DiffusersPrior(found), DiffusersPrior(right)
    generator = torch.Generator().manual_seed(0)
    noisy, image = torch.randn(2, 4, 8, 8, generator=generator), torch.rand(2, 3, 32, 32, generator=generator)
    t = torch.tensor([100, 700])
    with torch.no_grad():
        conditions = [prior.embed(["a red car", ""]) for prior in (ours, theirs)]
        for first, second in (
            [condition.sequence for condition in conditions],
            [prior.predict_noise(noisy, t, own) for prior, own in zip((ours, theirs), conditions, strict=True)],
            [prior.encode(image) for prior in (ours, theirs)],
            [prior.decode(noisy) for prior in (ours, theirs)],
        ):
            assert torch.equal(first, second)


def test_a_checkpoint_is_the_pipeline_that_it_was_written_from(stable_diffusion, checkpoint, tmp_path: Path) -> None:
    convert_checkpoint(checkpoint, stable_diffusion.folder, tmp_path / "out")
    assert_same_prior(tmp_path / "out", stable_diffusion.folder)
    index = json.loads((tmp_path / "out" / "model_index.json").read_text())
    assert "feature_extractor" not in index
    assert not (tmp_path / "out" / "README.md").exists()


def test_it_needs_only_the_small_files_of_the_pipeline_that_it_is_like(
    stable_diffusion, checkpoint, tmp_path: Path
) -> None:
    like = tmp_path / "like"
    shutil.copytree(stable_diffusion.folder, like, ignore=shutil.ignore_patterns("*.safetensors", "*.ckpt"))
    convert_checkpoint(checkpoint, like, tmp_path / "out")
    assert_same_prior(tmp_path / "out", stable_diffusion.folder)


def test_the_precision_of_the_weights_is_kept(stable_diffusion, checkpoint, tmp_path: Path) -> None:
    """The schedule's vectors stay in float32 in published files of float16."""
    tensors = load_file(checkpoint)
    half = {name: value.half() if value.ndim > 1 else value for name, value in tensors.items()}
    assert half["alphas_cumprod"].dtype == torch.float32
    save_file(half, tmp_path / "half.safetensors")
    convert_checkpoint(tmp_path / "half.safetensors", stable_diffusion.folder, tmp_path / "out")
    written = load_file(tmp_path / "out" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {value.dtype for value in written.values()} == {torch.float16}


def test_what_it_lacks_is_taken_from_the_other_pipeline(stable_diffusion, checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "no-vae.safetensors"
    write_ldm_checkpoint(stable_diffusion.folder, path, autoencoder=False)
    convert_checkpoint(path, stable_diffusion.folder, tmp_path / "out")
    assert_same_prior(tmp_path / "out", stable_diffusion.folder)
    like = tmp_path / "like"
    shutil.copytree(stable_diffusion.folder, like, ignore=shutil.ignore_patterns("*.safetensors", "*.ckpt"))
    with pytest.raises(WeightsError, match=r"has no vae, and neither has .*like: no vae/diffusion_pytorch"):
        convert_checkpoint(path, like, tmp_path / "none")


def test_a_transformer_alone_takes_all_else_from_the_other_pipeline(tmp_path: Path) -> None:
    pipe = flux(tmp_path / "flux")
    path = tmp_path / "flux1-tiny.safetensors"
    transformer = {name: value * 1.5 for name, value in pipe.transformer.state_dict().items()}
    save_file(transformer, path)
    convert_checkpoint(path, tmp_path / "flux", tmp_path / "out")
    written = load_file(tmp_path / "out" / "transformer" / "diffusion_pytorch_model.safetensors")
    assert written.keys() == transformer.keys()
    assert all(torch.equal(written[name], value) for name, value in transformer.items())
    for name in ("vae/diffusion_pytorch_model", "text_encoder/model", "text_encoder_2/model"):
        right = load_file(tmp_path / "flux" / f"{name}.safetensors")
        found = load_file(tmp_path / "out" / f"{name}.safetensors")
        assert all(torch.equal(found[key], value) for key, value in right.items())


def test_weights_of_another_kind_are_refused_in_one_line(stable_diffusion, checkpoint, tmp_path: Path) -> None:
    sdxl(tmp_path / "xl")
    with pytest.raises(WeightsError, match=r"its weights do not fit the configurations of .*xl") as caught:
        convert_checkpoint(checkpoint, tmp_path / "xl", tmp_path / "out")
    assert "\n" not in str(caught.value)
    tensors = load_file(checkpoint)
    del tensors["model.diffusion_model.middle_block.0.in_layers.2.weight"]
    save_file(tensors, tmp_path / "lacking.safetensors")
    with pytest.raises(WeightsError) as caught:
        convert_checkpoint(tmp_path / "lacking.safetensors", stable_diffusion.folder, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_kind_that_is_not_published_in_one_file_is_refused(checkpoint, tmp_path: Path) -> None:
    from methods.priors.loading import folder_of

    with pytest.raises(WeightsError, match="pipelines of its kind are not published in one file"):
        convert_checkpoint(checkpoint, folder_of("toybox"), tmp_path / "out")


def test_quantised_weights_are_refused(stable_diffusion, checkpoint, tmp_path: Path) -> None:
    tensors = load_file(checkpoint)
    name = "model.diffusion_model.middle_block.0.in_layers.2.weight"
    save_file(tensors | {name: tensors[name].to(torch.float8_e4m3fn)}, tmp_path / "fp8.safetensors")
    with pytest.raises(WeightsError, match="is of type F8_E4M3; weights must be in float16, bfloat16 or float32"):
        convert_checkpoint(tmp_path / "fp8.safetensors", stable_diffusion.folder, tmp_path / "out")


def test_the_model_that_it_was_made_from_is_told_by_its_tensors(checkpoint, tmp_path: Path) -> None:
    assert base_repository(checkpoint) == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    key = "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias"
    save_file({key: torch.zeros(3)}, tmp_path / "xl.safetensors")
    assert base_repository(tmp_path / "xl.safetensors") == "stabilityai/stable-diffusion-xl-base-1.0"
