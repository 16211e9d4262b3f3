"""Fetching the scorers of people's preferences: their published files are converted, and removed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bench.cli import main
from methods.weights import WeightsError, read_card
from metrics import Views, metrics

from .conftest import fetch

pytestmark = pytest.mark.usefixtures("home")

ROLES = ("hps", "pick", "aesthetic_clip", "aesthetic")
HPS, HEAD = "hps/HPS_v2.1_compressed.pt", "aesthetic/sac+logos+ava1-l14-linearMSE.pth"


@pytest.fixture
def mirror(layouts: ModuleType, tmp_path: Path) -> Path:
    """The files of the four repositories, tiny, with others that they have too."""
    folder, sizes = tmp_path / "mirror", layouts.LargeClip(vision_layers=1, text_layers=1)
    for role in ROLES:
        (folder / role).mkdir(parents=True)
        (folder / role / "README.md").write_text("x")
    torch.save({"state_dict": layouts.large_clip_weights(layouts.hps_shapes(sizes), 1)}, folder / HPS)
    (folder / "hps" / "HPS_v2_compressed.pt").write_bytes(b"version 2.0")
    save_file(layouts.large_clip_weights(layouts.pick_shapes(sizes), 1), folder / "pick" / "model.safetensors")
    (folder / "pick" / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "pick" / "config.json").write_text(json.dumps(sizes.transformers()))
    config = {"model_cfg": layouts.clip_config(resnet=False), "preprocess_cfg": {}}
    (folder / "aesthetic_clip" / "open_clip_config.json").write_text(json.dumps(config))
    save_file(layouts.clip_weights(3, resnet=False), folder / "aesthetic_clip" / "open_clip_model.safetensors")
    torch.save(layouts.head_weights(3, 16), folder / HEAD)
    return folder


def test_what_is_fetched_scores_and_is_all_that_stays(home: Path, mirror: Path) -> None:
    before = {name: hashlib.sha256((mirror / name).read_bytes()).hexdigest() for name in (HPS, HEAD)}
    fetch("sd21", mirror=mirror, only=ROLES)
    folder = home / "sd21"
    kept = {role: set(read_card(folder / role)["files"]) for role in ROLES}
    clip = {"open_clip_config.json", "open_clip_model.safetensors"}
    assert kept == {
        "hps": clip, "pick": clip, "aesthetic_clip": clip, "aesthetic": {"linear_head.safetensors"},
    }  # fmt: skip
    assert {path.name for path in (folder / "hps").iterdir()} == clip | {"card.json"}
    cards = {role: read_card(folder / role) for role in ROLES}
    assert [cards[role]["repository"] for role in ROLES] == [
        "xswu/HPSv2", "yuvalkirstain/PickScore_v1", "timm/vit_large_patch14_clip_224.openai",
        "camenduru/improved-aesthetic-predictor",
    ]  # fmt: skip
    assert cards["hps"]["converted_from"] == {"HPS_v2.1_compressed.pt": before[HPS]}
    assert cards["aesthetic"]["converted_from"] == {"sac+logos+ava1-l14-linearMSE.pth": before[HEAD]}
    rgb = np.random.default_rng(0).integers(0, 256, (2, 80, 80, 3), dtype=np.uint8)
    views = Views(rgb, np.full(rgb.shape[:3], 255, dtype=np.uint8), np.arange(2) * 180.0)
    for name in ("hps", "pick_score", "aesthetic"):
        metric = metrics[name]("sd21")
        assert np.isfinite(metric.score(views, "a red car", [])[name]).all()
        assert metric.card.columns[0].headline
    assert metrics["hps"]("sd21").card.checkpoint == "sd21: HPSv2.1 (the published checkpoint)"


def test_they_are_fetched_only_if_they_are_named(home: Path, mirror: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WeightsError, match=r"sd21/hps: .* run `sdibench fetch sd21 --only hps`, or set"):
        metrics["hps"]("sd21")
    with pytest.raises(WeightsError, match=r"sd21/aesthetic_clip: .* `sdibench fetch sd21 --only aesthetic_clip`"):
        metrics["aesthetic"]("sd21")
    path = mirror.parent / "mine.toml"
    path.write_text(
        '[aesthetic_clip]\nrepository = "a/b"\n[hps]\nrepository = "a/hps"\noptional = true\n'
        '[pick]\nrepository = "a/pick"\noptional = true\n'
    )
    assert main(["fetch", str(path), "--from", str(mirror)]) == 0
    assert f"left out: hps, pick; for metrics that need them: sdibench fetch {path} --only" in " ".join(
        capsys.readouterr().out.split()
    )
    assert {folder.name for folder in (home / "mine").iterdir()} == {"aesthetic_clip"}


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _another(path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, path)


def _quick(path: Path) -> None:
    path.write_text(path.read_text().replace('"gelu"', '"quick_gelu"'))


@pytest.mark.parametrize(
    ("role", "file", "damage", "message"),
    [
        ("hps", HPS, Path.unlink, "no HPS_v2.1_compressed.pt"),
        ("hps", HPS, _cut, "is not a file of weights only, or not whole"),
        ("hps", HPS, _another, "has no dictionary of weights at 'state_dict'"),
        ("pick", "pick/model.safetensors", Path.unlink, "no model.safetensors"),
        ("pick", "pick/model.safetensors", _cut, "model.safetensors"),
        ("pick", "pick/config.json", lambda path: path.write_text('{"model_type": "t5"}'), "model_type = 't5', right"),
        ("pick", "pick/config.json", _quick, "model_cfg.quick_gelu = True in open_clip_config.json, right is false"),
        ("aesthetic", HEAD, Path.unlink, "no sac+logos+ava1-l14-linearMSE.pth"),
        ("aesthetic", HEAD, _another, "is not a head of linear layers"),
        ("aesthetic", HEAD, lambda path: path.write_bytes(b"<html>"), "is a web page"),
    ],
)
def test_a_damaged_file_is_one_line_and_leaves_no_card(
    home: Path, mirror: Path, role: str, file: str, damage: Callable[[Path], object], message: str
) -> None:
    damage(mirror / file)
    with pytest.raises(WeightsError) as error:
        fetch("sd21", mirror=mirror, only=(role,))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(home.rglob("card.json"))
