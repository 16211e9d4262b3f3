"""Paths that people name as a prior: what leads to a pipeline is used, anything else is said to be what it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from methods.priors.loading import folder_of, known_prior, prior_sha256
from methods.priors.pipeline.folder import files_in, needed_files
from methods.priors.pipeline.hub import origin_of
from methods.registry import UnknownNameError
from methods.weights import WeightsError


@pytest.fixture
def hub(stable_diffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with one repository in one snapshot, whose files are links to blobs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    model = tmp_path / "hub" / "models--owner--tiny"
    for name in files_in(stable_diffusion.folder):
        blob, link = model / "blobs" / name.replace("/", "-"), model / "snapshots" / "abc" / name
        for path in (blob, link):
            path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(stable_diffusion.folder / name, blob)
        link.symlink_to(blob)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    return tmp_path / "hub"


def test_the_one_snapshot_of_a_cache_is_used(hub: Path, stable_diffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    model = hub / "models--owner--tiny"
    snapshot = model / "snapshots" / "abc"
    for given in (str(model), "~/hub/models--owner--tiny", str(snapshot)):
        assert folder_of(given) == snapshot
        assert prior_sha256(given) == prior_sha256(str(stable_diffusion.folder))
    assert origin_of("~/hub/models--owner--tiny").repository == str(snapshot)
    monkeypatch.setenv("SDIBENCH_SD21", str(model))
    assert folder_of("sd21") == snapshot
    (model / "snapshots" / "def").mkdir()
    for refused in (folder_of, origin_of):
        with pytest.raises(WeightsError) as caught:
            refused(str(model))
        assert str(caught.value) == (
            f"{model}: is the hub's cache of a repository with 2 snapshots; name the folder of one: {snapshot}, "
            f"{model / 'snapshots' / 'def'}"
        )
    shutil.rmtree(model / "snapshots")
    (model / "snapshots").mkdir()
    with pytest.raises(WeightsError, match="with 0 snapshots; download the repository again"):
        folder_of(str(model))


def test_home_is_expanded(hub: Path, stable_diffusion) -> None:
    shutil.copytree(stable_diffusion.folder, hub.parent / "model")
    assert folder_of("~/model") == hub.parent / "model"
    assert known_prior("~/model").weights_sha256 == prior_sha256(str(stable_diffusion.folder))


NOT_PIPELINES = {
    "~/hub": "is a cache of the hub; name the folder of one model in it, such as {home}/hub/models--owner--tiny",
    "~/sd.safetensors": "is a checkpoint in one file; a prior is a folder in diffusers' format, which sdibench c",
    "sd.CKPT": "is a checkpoint in one file; a prior is a folder",
    "notes.md": "is a file; a prior is a folder in diffusers' format",
    "~/one": "has no model_index.json, but a checkpoint in one file, v1-5.ckpt; a prior is a folder",
    "above": "has no model_index.json; name the folder of the pipeline in it: above/inner",
    "~/empty": "is a folder without model_index.json, so it is not a pipeline in diffusers' format",
    "./no/such": "there is no such folder; a prior is a name, a pipeline's folder or owner/name",
    "~/no-such": "there is no such folder",
    "~nobody-here/no-such": "there is no such folder",
    "models/sd.safetensors": "there is no such folder",
    "a/b/c": "there is no such folder",
}


@pytest.mark.parametrize("given", NOT_PIPELINES)
def test_what_is_not_a_pipeline_is_said_to_be_what_it_is(hub: Path, monkeypatch, given: str) -> None:
    home = hub.parent
    monkeypatch.chdir(home)
    for folder in ("one", "above/inner", "empty"):
        (home / folder).mkdir(parents=True)
    for file in ("sd.safetensors", "sd.CKPT", "one/v1-5.ckpt", "above/inner/model_index.json", "notes.md"):
        (home / file).write_text("{}")
    with pytest.raises(WeightsError) as caught:
        known_prior(given)
    assert str(caught.value).startswith(f"{given}: ")
    assert NOT_PIPELINES[given].format(home=home) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_is_no_path() -> None:
    with pytest.raises(UnknownNameError, match="unknown prior 'toybx': did you mean toybox"):
        known_prior("toybx")
    with pytest.raises(WeightsError, match="run: sdibench fetch owner/name"):
        known_prior("owner/name")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["diffusion_pytorch_model.non_ema.safetensors"],
            "no unet/diffusion_pytorch_model.safetensors, but unet/diffusion_pytorch_model.non_ema.safetensors; rename",
        ),
        (
            ["pytorch_model.safetensors", "pytorch_model.bin"],
            "but unet/pytorch_model.safetensors; rename the file that",
        ),
        (
            ["diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model-00001-of-00002.safetensors"],
            "here: unet/diffusion_pytorch_model-00002-of-00002.safetensors is missing, 1 of 3 files of its shards",
        ),
        (
            ["diffusion_pytorch_model-00001-of-00001.safetensors"],
            "unet/diffusion_pytorch_model.safetensors.index.json is missing, 1 of 2 files of its shards",
        ),
        (
            ["diffusion_pytorch_model.safetensors.index.fp16.json"],
            "unet/diffusion_pytorch_model.safetensors.index.fp16.json is there without the shards that it lists",
        ),
        (["diffusion_pytorch_model.bin"], "only pickled weights in unet"),
        ([], "no unet/diffusion_pytorch_model.safetensors"),
    ],
)
def test_weights_under_another_name_are_named(stable_diffusion, files: list[str], message: str) -> None:
    names = [name for name in files_in(stable_diffusion.folder) if name != "unet/diffusion_pytorch_model.safetensors"]
    with pytest.raises(WeightsError) as caught:
        needed_files([*names, *(f"unet/{file}" for file in files)], "here")
    assert message in str(caught.value)
    assert ("shards" in str(caught.value)) == ("shards" in message)
