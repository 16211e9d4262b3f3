"""Loading a CLIP: only the files that its card names, only uint8 images, each text encoded once."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from methods.weights import WeightsError
from metrics.models.clip import ClipModel


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "vocab.json"])
def test_changed_file_is_refused(clip_folder: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(clip_folder, tmp_path / "changed")
    path = folder / name
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    with pytest.raises(WeightsError, match=name):
        ClipModel(folder)


def test_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as error:
        ClipModel(tmp_path / "nowhere")
    assert "\n" not in str(error.value)


def test_floats_are_refused(clip_folder: Path) -> None:
    with pytest.raises(TypeError, match="rgb: dtype float32, must be uint8"):
        ClipModel(clip_folder).image_features(np.zeros((1, 32, 32, 3), dtype=np.float32))


def test_features_are_kept_for_the_next_metric(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ClipModel(clip_folder)
    images = np.random.default_rng(0).integers(0, 256, (2, 2, 32, 32, 3), dtype=np.uint8)
    first, texts = model.image_features(images[0]), model.text_features(["a duck", "a car", "a duck"])
    assert torch.equal(texts[0], texts[2])
    seen, said = Mock(wraps=model._network.encode_image), Mock(wraps=model._network.encode_text)
    monkeypatch.setattr(model._network, "encode_image", seen)
    monkeypatch.setattr(model._network, "encode_text", said)
    assert torch.equal(model.image_features(images[0]), first)
    assert torch.equal(model.text_features(["a car"])[0], texts[1])
    assert (seen.call_count, said.call_count) == (0, 0)
    assert not torch.equal(model.image_features(images[1]), first)
    assert torch.equal(model.image_features(images[0]), first)
    assert seen.call_count == 1
    monkeypatch.setattr("metrics.models.clip._KEPT_SETS", 2)
    model.image_features(images[:, 0])  # in place of the set that was asked for longest ago
    model.image_features(images[0])
    assert seen.call_count == 2
    assert not torch.equal(model.image_features(images[1]), first)
    assert seen.call_count == 3


def test_features_do_not_depend_on_what_was_asked_before(clip_folder: Path) -> None:
    """To the bit: a scoring that was cut short ends in the numbers of one that was not."""
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    texts = ["a duck", "a car", "a red mug with white dots"]
    one, other = ClipModel(clip_folder), ClipModel(clip_folder)
    other.image_features(images[:2])
    other.text_features(texts[1:])
    assert torch.equal(one.image_features(images), other.image_features(images))
    assert torch.equal(one.text_features(texts), other.text_features(texts))


def test_more_images_than_a_batch_and_unit_length(clip_folder: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (70, 32, 32, 3), dtype=np.uint8)
    features = ClipModel(clip_folder).image_features(images)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(70))


@pytest.mark.parametrize("words", [1, 5, 40])
def test_tokens_beyond_the_context_are_counted(clip_folder: Path, words: int) -> None:
    """As many as there are; what is read is the same whatever they are, and changes if nothing is cut."""
    model = ClipModel(clip_folder)
    text = " ".join(["duck"] * words)
    longer = [model.tokens_cut(" ".join([text, *["duck"] * more])) for more in range(40)]
    assert longer[-1] > 0
    assert all(after - before in (0, 1) for before, after in itertools.pairwise(longer))
    features = model.text_features([text, f"{text} car"])
    assert torch.equal(features[0], features[1]) == (model.tokens_cut(text) > 0)


def test_the_tokens_of_open_clip_s_own_tokenizer_are_counted(clip_folder: Path, monkeypatch) -> None:
    tokenizer = Mock(spec=["encode", "context_length"], context_length=77)
    tokenizer.encode.side_effect = str.split
    model = ClipModel(clip_folder)
    monkeypatch.setattr(model, "_tokenize", tokenizer)
    assert [model.tokens_cut("a " * count) for count in (1, 75, 76, 100)] == [0, 0, 1, 25]
