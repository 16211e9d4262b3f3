"""What is fetched is opened before it gets a card: pointers, pages, cut files and weights of another model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.cli import main
from methods.weights import WeightsError, read_card, write_card

from .conftest import fetch

pytestmark = pytest.mark.usefixtures("home")

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 3463726504\n"
IS_POINTER = "is a pointer of Git LFS, not the file; run `git lfs pull` where it was cloned, or copy the file"


@pytest.fixture
def clip_mirror(layouts, tmp_path: Path) -> Callable[..., Path]:
    """``clip_mirror(role, vision, **model)``: a folder with the files of a CLIP's repository."""

    def write(role: str, vision: str, **model: object) -> Path:
        folder = tmp_path / role
        folder.mkdir()
        resnet = vision == "resnet"
        model = layouts.clip_config(resnet=resnet) | model
        preprocess = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}
        config = {"model_cfg": model, "preprocess_cfg": preprocess}
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        save_file(layouts.clip_weights(3, resnet=resnet), folder / "open_clip_model.safetensors")
        for name in ("open_clip_pytorch_model.bin", "vocab.json", "merges.txt", "README.md"):
            (folder / name).write_text("{}")
        return folder

    return write


def test_a_clip_is_its_configuration_weights_and_tokenizer(home, clip_mirror) -> None:
    for role, vision in (("clip", "transformer"), ("iqa", "resnet")):
        fetch("sd21", mirror=clip_mirror(role, vision), only=(role,))
        card = read_card(home / "sd21" / role)
        kept = {"open_clip_config.json", "open_clip_model.safetensors", "vocab.json", "merges.txt"}
        assert set(card["files"]) == kept
    assert card["repository"] == "timm/resnet50_clip.openai"


@pytest.mark.parametrize(
    ("role", "vision", "model", "message"),
    [
        (
            "clip",
            "transformer",
            {"quick_gelu": False},
            "quick_gelu = False in open_clip_config.json, right is",
        ),
        ("clip", "transformer", {"quick_gelu": None}, "model_cfg.quick_gelu = None in"),
        ("clip", "resnet", {}, "describes a ResNet, right is a vision transformer"),
        ("iqa", "transformer", {}, "describes a vision transformer, right is a ResNet"),
        ("iqa", "resnet", {"vision_cfg": 7}, "has no model_cfg with a vision_cfg"),
    ],
)
def test_a_clip_of_another_kind_is_refused(home, clip_mirror, role, vision, model, message) -> None:
    with pytest.raises(WeightsError, match=message) as error:
        fetch("sd21", mirror=clip_mirror(role, vision, **model), only=(role,))
    assert "\n" not in str(error.value)
    assert not home.exists()


def test_a_clip_of_pickled_weights_is_refused(clip_mirror) -> None:
    mirror = clip_mirror("clip", "transformer")
    (mirror / "open_clip_model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"no open_clip_model.safetensors; pickled weights are not read"):
        fetch("sd21", mirror=mirror, only=("clip",))


def _pointer(path: Path) -> None:
    path.write_bytes(POINTER)


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _half_of_the_lines(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 2]))


def _page(path: Path) -> None:
    path.write_text("\n<!DOCTYPE html>\n<title>Not found</title>")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _without_tensors(path: Path) -> None:
    save_file({}, path)


def _other_shape(path: Path) -> None:
    tensors = load_file(path)
    name = max(tensors, key=lambda name: tensors[name].numel())
    save_file(tensors | {name: torch.zeros(3, *tensors[name].shape[1:])}, path, metadata={"format": "pt"})


def _other_names(path: Path) -> None:
    save_file({f"other.{name}": value for name, value in load_file(path).items()}, path, metadata={"format": "pt"})


WHOLE = "is not a whole safetensors file"
DAMAGE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "pointer of the network": ("unet/diffusion_pytorch_model.safetensors", _pointer, IS_POINTER),
    "pointer of the autoencoder": ("vae/diffusion_pytorch_model.safetensors", _pointer, IS_POINTER),
    "pointer of the text encoder": ("text_encoder/model.safetensors", _pointer, IS_POINTER),
    "pointer of a configuration": ("unet/config.json", _pointer, IS_POINTER),
    "pointer of the index": ("model_index.json", _pointer, IS_POINTER),
    "pointer of the scheduler": ("scheduler/scheduler_config.json", _pointer, IS_POINTER),
    "pointer of the vocabulary": ("tokenizer/vocab.json", _pointer, IS_POINTER),
    "pointer of the merges": ("tokenizer/merges.txt", _pointer, IS_POINTER),
    "cut network": ("unet/diffusion_pytorch_model.safetensors", _half, WHOLE),
    "cut text encoder": ("text_encoder/model.safetensors", _half, WHOLE),
    "cut vocabulary": ("tokenizer/vocab.json", _half, "is not JSON"),
    "cut merges": ("tokenizer/merges.txt", _half, "so it was cut short"),
    "fewer merges": ("tokenizer/merges.txt", _half_of_the_lines, "so it was cut short"),
    "cut configuration": ("vae/config.json", _half, "is not JSON"),
    "page": ("vae/diffusion_pytorch_model.safetensors", _page, "is a web page, not the file"),
    "empty": ("unet/diffusion_pytorch_model.safetensors", _empty, "is empty"),
    "no tensors": ("unet/diffusion_pytorch_model.safetensors", _without_tensors, "holds no tensors"),
    "shape of the network": ("unet/diffusion_pytorch_model.safetensors", _other_shape, "cannot be loaded as UNet2DC"),
    "shape of the autoencoder": ("vae/diffusion_pytorch_model.safetensors", _other_shape, "cannot be loaded as Autoen"),
    "shape of the text encoder": ("text_encoder/model.safetensors", _other_shape, "cannot be loaded as CLIPTextModel"),
    "another network": ("unet/diffusion_pytorch_model.safetensors", _other_names, "of UNet2DConditionModel's weights"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_pipeline_is_refused_in_one_line_however_it_is_named(
    stable_diffusion: Path, home: Path, tmp_path: Path, capsys, monkeypatch, name: str
) -> None:
    mirror = Path(shutil.copytree(stable_diffusion, tmp_path / "mirror"))
    file, damage, message = DAMAGE[name]
    damage(mirror / file)

    def refuses(*command: str) -> None:
        assert main(command) == 2
        error = capsys.readouterr().err
        assert error.startswith("sdibench: ")
        assert error.count("\n") == 1
        assert message in error
        assert not list(home.rglob("card.json"))

    fetch_it = ("fetch", "sd21", "--only", "prior", "--from", "mirror")
    refuses(*fetch_it)
    (tmp_path / "tiny.toml").write_text(
        'title = "t"\nprior = "./mirror"\nscorers = "toybox"\nprompts = "toybox"\nsteps = 1\n'
        'metrics = ["ground_truth"]\nbaseline = "sds"\nscene = { name = "image" }\n[methods.sds]\n'
    )
    refuses("plan", "tiny.toml")
    monkeypatch.setenv("SDIBENCH_SD21", str(mirror))
    refuses("fetch", "sd21", "--only", "prior")
    monkeypatch.delenv("SDIBENCH_SD21")
    if "shape" in name or "another" in name:
        return
    # a card of an earlier version, which named the hashes of whatever it got
    write_card(mirror)
    refuses(*fetch_it)


def test_a_fetched_pointer_with_a_card_is_fetched_again(stable_diffusion: Path, home: Path) -> None:
    fetch("sd21", mirror=stable_diffusion)
    folder = home / "sd21" / "prior"
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    whole, card = unet.read_bytes(), read_card(folder)
    _pointer(unet)
    (folder / "card.json").unlink()
    write_card(folder, **{name: value for name, value in card.items() if name != "files"})
    assert f"{IS_POINTER}; fetching it again" in fetch("sd21", mirror=stable_diffusion)
    assert unet.read_bytes() == whole
    assert read_card(folder)["files"] == card["files"]


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("open_clip_model.safetensors", _pointer, IS_POINTER),
        ("open_clip_model.safetensors", _half, WHOLE),
        ("open_clip_model.safetensors", _other_shape, "cannot be loaded as a CLIP of open_clip"),
        ("open_clip_model.safetensors", _other_names, "cannot be loaded as a CLIP of open_clip"),
        ("open_clip_config.json", _pointer, IS_POINTER),
        ("vocab.json", _pointer, IS_POINTER),
        ("merges.txt", _pointer, IS_POINTER),
    ],
)
@pytest.mark.parametrize(("role", "vision"), [("clip", "transformer"), ("iqa", "resnet")])
def test_a_damaged_clip_is_refused(home: Path, clip_mirror, role, vision, file, damage, message) -> None:
    mirror = clip_mirror(role, vision)
    damage(mirror / file)
    with pytest.raises(WeightsError) as caught:
        fetch("sd21", mirror=mirror, only=(role,))
    assert message in str(caught.value)
    assert not list(home.rglob("card.json"))


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("bert/vocab.txt", _pointer, IS_POINTER),
        ("bert/vocab.txt", _empty, "is empty"),
        ("reward/ImageReward.pt", _pointer, IS_POINTER),
        ("reward/ImageReward.pt", _page, "is a web page"),
        ("reward/ImageReward.pt", _half, "is not a file of weights only, or not whole"),
        ("reward/med_config.json", _half, "is not JSON"),
        ("bert/vocab.txt", lambda path: path.write_text("[PAD]\n[UNK]\na\n"), "bert/vocab.txt: has 3 words"),
    ],
)
def test_a_damaged_reward_is_refused(home: Path, layouts, tmp_path: Path, file, damage, message) -> None:
    both = tmp_path / "both"
    for role in ("bert", "reward"):
        (both / role).mkdir(parents=True)
    sizes = layouts.RewardSizes(vision_layers=1, text_layers=1)
    (both / "bert" / "vocab.txt").write_text("\n".join(layouts.WORDS) + "\n")
    torch.save(layouts.reward_weights(sizes, 5), both / "reward" / "ImageReward.pt")
    (both / "reward" / "med_config.json").write_text(json.dumps(sizes.med_config()))
    damage(both / file)
    with pytest.raises(WeightsError) as caught:
        fetch("sd21", mirror=both, only=("bert", "reward"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (home / "sd21" / "reward" / "card.json").exists()
