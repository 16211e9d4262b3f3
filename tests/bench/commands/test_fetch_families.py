"""Repositories of other kinds than Stable Diffusion 1 and 2: what is fetched of them, and their cards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_flows import flux, stable_diffusion_3
from tiny_pipelines import deepfloyd_if, pixart, sdxl

from methods.priors.loading import load_prior
from methods.weights import WeightsError, read_card

from .conftest import fetch

pytestmark = pytest.mark.usefixtures("home")

WRITERS: dict[str, tuple[Callable[[Path], Any], float]] = {
    "sdxl": (sdxl, 5.0),
    "if": (deepfloyd_if, 7.0),
    "pixart": (pixart, 4.5),
    "sd3": (stable_diffusion_3, 7.0),
    "flux": (flux, 3.5),
}


@pytest.fixture
def mirror(request, tmp_path: Path) -> Path:
    """A copy of a repository, with the further files that repositories have, and a network in shards."""
    folder = tmp_path / "mirror"
    pipe = WRITERS[request.param][0](folder)
    name = "unet" if hasattr(pipe, "unet") else "transformer"
    (folder / name / "diffusion_pytorch_model.safetensors").unlink()
    getattr(pipe, name).save_pretrained(folder / name, max_shard_size="60KB")
    for file in ("README.md", "safety_checker/config.json", "vae_1_0/config.json", f"{name}/openvino_model.bin"):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text("{}")
    return folder


@pytest.mark.parametrize("mirror", WRITERS, indirect=True)
def test_all_that_is_read_is_fetched_and_the_card_has_the_family_s_scale(
    mirror, home, monkeypatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("SDIBENCH_DEVICE", "cpu")
    assert "prior: right, SHA-256 " in fetch("some-one/theirs", mirror=mirror)
    folder = home / "some-one--theirs" / "prior"
    files = read_card(folder)["files"]
    left_out = ("README.md", "safety_checker/config.json", "vae_1_0/config.json")
    written = {path.relative_to(mirror).as_posix() for path in mirror.rglob("*") if path.is_file()}
    assert set(files) == {name for name in written if name not in left_out and not name.endswith(".bin")}
    assert sum("-of-" in name for name in files) > 1
    scale = WRITERS[request.node.callspec.params["mirror"]][1]
    assert read_card(folder)["guidance_scale"] == scale
    assert load_prior("some-one/theirs").guidance_scale == scale


@pytest.mark.parametrize("mirror", ["sdxl"], indirect=True)
def test_a_repository_that_cannot_be_a_prior_is_refused_before_its_weights_are_copied(mirror, home) -> None:
    path = mirror / "model_index.json"
    index = json.loads(path.read_text())
    path.write_text(json.dumps(index | {"_class_name": "KolorsPipeline", "text_encoder": ["kolors", "ChatGLMModel"]}))
    with pytest.raises(WeightsError, match="KolorsPipeline cannot be used as a prior; pipelines that can are Stable"):
        fetch("some-one/theirs", mirror=mirror)
    assert not list(home.rglob("*.safetensors"))
