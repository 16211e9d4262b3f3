"""Command ``convert``: a folder that can be a prior, whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import huggingface_hub
import pytest
from safetensors.torch import load_file, save_file
from single_files import write_ldm_checkpoint

from bench.cli import main
from methods.priors.loading import prior_card
from methods.weights import read_card


@pytest.fixture
def checkpoint(stable_diffusion: Path, home: Path, tmp_path: Path) -> Path:
    path = tmp_path / "fine-tune.safetensors"
    write_ldm_checkpoint(stable_diffusion, path)
    return path


def test_a_checkpoint_becomes_a_prior(stable_diffusion: Path, checkpoint: Path, tmp_path: Path, capsys) -> None:
    assert main(["convert", str(checkpoint), "out/mine", "--like", str(stable_diffusion)]) == 0
    assert 'in a study, prior = "out/mine" and scorers = "sd21"' in " ".join(capsys.readouterr().out.split())
    card = read_card(tmp_path / "out" / "mine")
    assert card["title"] == "fine-tune"
    assert list(card["converted_from"]) == ["fine-tune.safetensors"]
    assert prior_card("out/mine").guidance_scale == 7.5
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_without_like_the_configurations_come_from_the_hub(
    stable_diffusion: Path, checkpoint: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(repository: str, *, allow_patterns: list[str]) -> str:
        asked.append((repository, allow_patterns))
        ignored = shutil.ignore_patterns("*.safetensors", "*.ckpt")
        return str(shutil.copytree(stable_diffusion, tmp_path / "hub", ignore=ignored))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert main(["convert", str(checkpoint), "mine"]) == 0
    assert asked == [("stable-diffusion-v1-5/stable-diffusion-v1-5", ["*.json", "*.txt", "*.model"])]
    assert read_card(tmp_path / "mine")["like"] == "stable-diffusion-v1-5/stable-diffusion-v1-5"

    def refuse(*_: object, **__: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    assert main(["convert", str(checkpoint), "other"]) == 2
    assert "cannot be downloaded (no route to host); give --like with a prior of its kind" in _line(capsys)
    assert not (tmp_path / "other").exists()


def _line(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr().err
    assert found.count("\n") == 1, found
    return found


WRONG = {
    "there is no such file": ["none.safetensors", "out"],
    "must be a .safetensors file; a pickle": ["model.ckpt", "out"],
    "is there already; name a new folder": ["fine-tune.safetensors", "taken"],
    "is empty; copy or download it again": ["empty.safetensors", "out"],
    "--like gaussian: has no weights": ["fine-tune.safetensors", "out", "--like", "gaussian"],
    "unknown prior 'toybx': did you mean toybox": ["fine-tune.safetensors", "out", "--like", "toybx"],
    "not published in one file; name another with --like": ["fine-tune.safetensors", "out", "--like", "toybox"],
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_converted_is_said_in_one_line(checkpoint: Path, tmp_path: Path, capsys, message: str) -> None:
    (tmp_path / "model.ckpt").write_bytes(b"a pickle")
    (tmp_path / "empty.safetensors").touch()
    (tmp_path / "taken").mkdir()
    before = sorted(tmp_path.iterdir())
    assert main(["convert", *WRONG[message]]) == 2
    assert message in _line(capsys)
    assert sorted(tmp_path.iterdir()) == before


def test_a_checkpoint_that_lacks_weights_leaves_nothing(
    stable_diffusion: Path, checkpoint: Path, tmp_path: Path, capsys
) -> None:
    tensors = load_file(checkpoint)
    save_file({name: value for name, value in tensors.items() if "middle_block.1" not in name}, checkpoint)
    before = sorted(tmp_path.iterdir())
    assert main(["convert", str(checkpoint), "out", "--like", str(stable_diffusion)]) == 2
    assert str(checkpoint) in _line(capsys)
    assert sorted(tmp_path.iterdir()) == before


def test_a_pipeline_of_other_shapes_is_not_like_it(
    stable_diffusion: Path, checkpoint: Path, tmp_path: Path, capsys
) -> None:
    like = Path(shutil.copytree(stable_diffusion, tmp_path / "like"))
    path = like / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"cross_attention_dim": 24}))
    (like / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert main(["convert", str(checkpoint), "out", "--like", str(like)]) == 2
    assert _line(capsys)
