from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from metrics.models.clip import ClipModel
from metrics.suites import Suite
from metrics.view_words import ViewWords
from metrics.views import Views

AZIMUTH = (np.arange(12) * 30.0 + 180) % 360 - 180


@pytest.fixture
def read_as(monkeypatch: pytest.MonkeyPatch, suite: Suite) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Score views that CLIP reads as 0 (front), 1 (side) or 2 (back)."""

    def score(words: np.ndarray) -> dict[str, np.ndarray]:
        asked = []
        metric = ViewWords(suite)

        def texts(self: ClipModel, texts: list[str]) -> torch.Tensor:
            asked.extend(texts)
            return torch.eye(3)

        monkeypatch.setattr(ClipModel, "text_features", texts)
        monkeypatch.setattr(ClipModel, "image_features", lambda self, rgb: torch.eye(3)[torch.from_numpy(words)])
        rgb = np.zeros((12, 8, 8, 3), np.uint8)
        found = metric.score(Views(rgb, rgb[..., 0], AZIMUTH), "a red car", [])
        assert asked == ["a red car, front view", "a red car, side view", "a red car, back view"]
        return found

    return score


@pytest.mark.parametrize("turn", [0, 3, 6])
def test_an_object_is_right_whichever_way_it_faces(read_as: Callable[..., dict[str, np.ndarray]], turn: int) -> None:
    found = read_as(np.roll([0, 0, 1, 1, 1, 2, 2, 2, 1, 1, 1, 0], turn))
    assert (np.nanmean(found["clip_front"]), np.nanmean(found["clip_extra"])) == (1, 0)


def test_a_back_that_is_read_as_a_front_counts(read_as: Callable[..., dict[str, np.ndarray]]) -> None:
    found = read_as(np.array([0, 0, 1, 1, 1, 0, 0, 2, 1, 1, 1, 0]))
    assert np.nanmean(found["clip_front"]) == 1
    assert np.nansum(found["clip_extra"]) == 2
    assert (~np.isnan(found["clip_extra"])).sum() == 3


def test_without_a_front_there_is_no_value(read_as: Callable[..., dict[str, np.ndarray]]) -> None:
    found = read_as(np.ones(12, int))
    assert np.nanmean(found["clip_front"]) == 0
    assert np.isnan(found["clip_extra"]).all()


def test_view_words_are_kept_where_a_prompt_is_too_long(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt loses its own end, the same for all three; one that fits is asked as it is."""
    metric = ViewWords(suite)
    asked: list[str] = []
    encode = ClipModel.text_features

    def recorded(self: ClipModel, texts: list[str]) -> torch.Tensor:
        asked.extend(texts)
        return encode(self, texts)

    monkeypatch.setattr(ClipModel, "text_features", recorded)
    rgb = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    long = " ".join(["a blue duck"] * 6)
    for prompt in (long, "a blue duck"):
        assert (metric.tokens_cut(prompt) > 0) == (prompt == long)
        metric.score(Views(rgb, None, AZIMUTH), prompt, [])
    assert asked[3:] == [f"a blue duck, {words}" for words in ("front view", "side view", "back view")]
    [kept] = {text.rpartition(", ")[0] for text in asked[:3]}
    assert long.startswith(kept + " ")
    assert [metric._clip.tokens_cut(text) for text in asked[:3]] == [0, 0, 0]
    assert metric.tokens_cut(f"{kept} {long[len(kept) + 1 :].split()[0]}") > 0  # no word less than fits
    assert len(metric._clip.text_features(asked[:3]).unique(dim=0)) == 3
