"""Weights in shards and variants, as both libraries write them, and tensors of types that are not read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from methods.priors.loading import load_prior, prior_sha256
from methods.priors.pipeline.folder import files_in, needed_files
from methods.weights import WeightsError

SIZES = {"unet": "100KB", "text_encoder": "8KB"}


def in_shards(source: Path, folder: Path, variant: str | None = None) -> Path:
    """A copy of the pipeline whose UNet and text encoder are in shards."""
    shutil.copytree(source, folder)
    for name, network in {"unet": UNet2DConditionModel, "text_encoder": CLIPTextModel}.items():
        loaded = network.from_pretrained(source / name)
        shutil.rmtree(folder / name)
        loaded.save_pretrained(folder / name, max_shard_size=SIZES[name], variant=variant)
        assert len(list((folder / name).glob("*-of-*.safetensors"))) > 2
    return folder


def as_in_2023(folder: Path) -> None:
    """Rename the shards of a variant to the names of that time, with the variant behind the number."""
    for path in folder.rglob("*.fp16-*-of-*.safetensors"):
        stem, _, number = path.stem.partition(".fp16")
        path.rename(path.with_name(f"{stem}{number}.fp16.safetensors"))
    for index in folder.rglob("*.index.fp16.json"):
        text = index.read_text()
        for stem in ("diffusion_pytorch_model", "model"):
            text = text.replace(f'"{stem}.fp16-', f'"{stem}-')
        index.write_text(text.replace('.safetensors"', '.fp16.safetensors"'))


@pytest.mark.parametrize("form", ["plain", "fp16", "fp16 of 2023"])
def test_shards_are_one_network(stable_diffusion, tmp_path: Path, form: str) -> None:
    folder = in_shards(stable_diffusion.folder, tmp_path / "shards", None if form == "plain" else "fp16")
    if form == "fp16 of 2023":
        as_in_2023(folder)
    prior, whole = load_prior(str(folder)), load_prior(str(stable_diffusion.folder))
    given = torch.ones(1, 4, 8, 8), torch.tensor([500])
    expected = whole.predict_noise(*given, whole.embed(["a red car"]))
    assert torch.equal(prior.predict_noise(*given, prior.embed(["a red car"])), expected)


def test_every_shard_and_the_index_are_in_the_hash(stable_diffusion, tmp_path: Path) -> None:
    folder = in_shards(stable_diffusion.folder, tmp_path / "shards")
    names = [name for name in files_in(folder) if name.startswith("unet/") and name != "unet/config.json"]
    assert set(names) <= set(needed_files(files_in(folder), "here"))
    seen = {prior_sha256(str(folder))}
    for name in names:
        path = folder / name
        if path.suffix == ".json":
            path.write_text(path.read_text() + "\n")
        else:
            save_file({key: value + 1 for key, value in load_file(path).items()}, path, metadata={"format": "pt"})
        seen.add(prior_sha256(str(folder)))
    assert len(seen) == len(names) + 1


def test_a_missing_shard_is_named(stable_diffusion, tmp_path: Path) -> None:
    folder = in_shards(stable_diffusion.folder, tmp_path / "shards")
    shards = list((folder / "text_encoder").glob("*-of-*.safetensors"))
    last = max(shards)
    last.unlink()
    with pytest.raises(WeightsError) as caught:
        load_prior(str(folder))
    assert str(caught.value) == (
        f"{folder}: text_encoder/{last.name} is missing, 1 of {len(shards) + 1} files of its shards; copy or download "
        "it again"
    )


def test_one_file_is_read_rather_than_shards_and_full_precision_rather_than_half() -> None:
    names = ["unet/config.json", "vae/config.json", "text_encoder/config.json", "tokenizer/tokenizer.json"]
    names += ["model_index.json", "scheduler/scheduler_config.json"]
    stem = "diffusion_pytorch_model"
    names += [f"vae/{stem}.bf16.safetensors", f"vae/{stem}.fp16.safetensors", "text_encoder/model.bf16.safetensors"]
    names += [f"unet/{stem}.safetensors.index.json", f"unet/{stem}-00001-of-00001.safetensors"]
    names += [f"unet/{stem}.fp16.safetensors"]
    assert set(names) - set(needed_files(names, "here")) == {
        f"vae/{stem}.bf16.safetensors", f"unet/{stem}.fp16.safetensors"
    }  # fmt: skip
    whole = needed_files([*names, f"unet/{stem}.safetensors"], "here")
    assert f"unet/{stem}.safetensors" in whole
    assert f"unet/{stem}-00001-of-00001.safetensors" not in whole


@pytest.mark.parametrize(("dtype", "name"), [(torch.float8_e4m3fn, "F8_E4M3"), (torch.int8, "I8"), (torch.uint8, "U8")])
def test_quantised_weights_are_refused_by_their_type(stable_diffusion, tmp_path: Path, dtype, name: str) -> None:
    folder = Path(shutil.copytree(stable_diffusion.folder, tmp_path / "quantised"))
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["conv_in.weight"] = tensors["conv_in.weight"].to(dtype)
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(WeightsError) as caught:
        load_prior(str(folder))
    assert str(caught.value).startswith(
        f"{path}: conv_in.weight is of type {name}; weights must be in float16, bfloat16 or float32"
    )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("damage", ["other shard", "no entry", "empty shard"])
def test_weights_that_no_shard_holds_are_one_line(stable_diffusion, tmp_path: Path, name: str, damage: str) -> None:
    """As after a repository was fetched in two revisions; no weight may stay as the libraries draw it."""
    folder = in_shards(stable_diffusion.folder, tmp_path / "shards")
    path = next((folder / name).glob("*.index.json"))
    index = json.loads(path.read_text())
    places, first = index["weight_map"], min(index["weight_map"].values())
    lost = [key for key, file in places.items() if file == first]
    if damage == "other shard":
        index["weight_map"] = {key: file.replace("-00001-of-", "-00009-of-") for key, file in places.items()}
    elif damage == "no entry":
        index["weight_map"] = {key: file for key, file in places.items() if file != first}
    else:
        save_file({"other": torch.ones(1)}, folder / name / first, metadata={"format": "pt"})
    path.write_text(json.dumps(index))
    with pytest.raises(WeightsError, match=f"{name}: (cannot be loaded as|lacks {len(lost)} of)") as caught:
        load_prior(str(folder))
    assert "\n" not in str(caught.value)
