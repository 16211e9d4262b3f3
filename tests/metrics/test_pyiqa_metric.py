"""Columns of pyiqa: against the package itself where it is there, and one line where it is not."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np
import pytest
import torch

from methods.registry import UnknownNameError
from methods.weights import WeightsError
from metrics import Suite, Views, metrics
from metrics.card import MetricCard
from metrics.pyiqa_metric import pyiqa_metric


class _Brightness(torch.nn.Module):
    """Stands in for one of pyiqa's metrics, with the attributes that those have."""

    lower_better, score_range = True, "0, 1"

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(2.0))
        self.seen: list[torch.Size] = []

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        assert pixels.dtype == torch.float32
        assert 0 <= pixels.min() <= pixels.max() <= 1
        self.seen.append(pixels.shape)
        return self.gain * pixels.mean(dim=(1, 2, 3))[:, None] + 1e-3 * (torch.rand(()) + np.random.rand())  # noqa: NPY002


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package pyiqa with the metrics ``bright`` and ``broken``."""

    def create(name: str, device: torch.device) -> torch.nn.Module:
        if name == "broken":
            raise OSError("no server\nand more lines")
        return _Brightness()

    package = ModuleType("pyiqa")
    package.__spec__ = importlib.util.spec_from_loader("pyiqa", None)
    package.__version__ = "0.0"
    package.list_models = lambda metric_mode: ["bright", "broken", "clipscore", "fid"]
    package.create_metric = create
    monkeypatch.setitem(sys.modules, "pyiqa", package)
    pyiqa_metric.cache_clear()
    yield package
    pyiqa_metric.cache_clear()


def test_score_is_the_networks_at_the_views_own_size(
    stand_in: ModuleType, suite: Suite, make_views: Callable[..., Views]
) -> None:
    metric, views = metrics["pyiqa:bright"](suite), make_views(5, 600, 500)
    before, before_numpy = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first, again = (metric.score(views, "anything", [])["pyiqa:bright"] for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == before_numpy  # noqa: NPY002
    np.testing.assert_array_equal(first, again)  # though the network draws
    np.testing.assert_allclose(first, 2 * views.rgb.mean(axis=(1, 2, 3)) / 255, atol=2.1e-3)
    assert (first.dtype, metric._network.seen[-1]) == (np.float64, (5, 3, 600, 500))
    card = metric.card
    assert card.column_names == ("pyiqa:bright",)
    assert card.columns[0].direction == "lower"
    assert len(card.weights_sha256) == 64
    assert MetricCard.model_validate_json(card.model_dump_json()) == card


class _OfTheBatch(_Brightness):
    """Normalises by the batch, as some of pyiqa's metrics do."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.seen.append(pixels.shape)
        return (self.gain * pixels / pixels.mean()).amax(dim=(1, 2, 3))


class _Exact(_Brightness):
    """Draws nothing and looks at each image alone."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.seen.append(pixels.shape)
        return self.gain * pixels.mean(dim=(1, 2, 3))


class _RandomCrop(_Brightness):
    """Looks at another place of each image."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.seen.append(pixels.shape)
        places = torch.randint(0, pixels.shape[-1] // 2, (len(pixels),)).tolist()
        return torch.stack([each[:, :, place:].mean() for each, place in zip(pixels, places, strict=True)])


class _Restless(_Brightness):
    """Draws from a generator of its own, which nobody can reset."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.seen.append(pixels.shape)
        return pixels.mean(dim=(1, 2, 3)) + len(self.seen)


@pytest.mark.parametrize(
    ("network", "batch"),
    [(_Exact, 4), (_OfTheBatch, 1), (_RandomCrop, 1)],
    ids=["exact", "normalised by the batch", "random"],
)
def test_an_image_is_scored_alone_where_its_batch_would_count(
    stand_in: ModuleType,
    suite: Suite,
    make_views: Callable[..., Views],
    monkeypatch: pytest.MonkeyPatch,
    network: type[_Brightness],
    batch: int,
) -> None:
    monkeypatch.setattr(stand_in, "create_metric", lambda name, device: network())
    metric, views = metrics["pyiqa:bright"](suite), make_views(4, 32, 32)
    scores = metric.score(views, "", [])["pyiqa:bright"]
    assert metric._network.seen[-1][0] == batch
    assert ("one image at a time" in metric.card.preprocessing) == (batch == 1)
    first = Views(views.rgb[2:3], views.opacity[2:3], views.azimuth_deg[2:3])
    np.testing.assert_allclose(metric.score(first, "", [])["pyiqa:bright"], scores[2:3], rtol=1e-6)


def test_a_score_that_changes_each_time_is_refused(
    stand_in: ModuleType, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "create_metric", lambda name, device: _Restless())
    with pytest.raises(WeightsError, match=r"^pyiqa:bright: gives the same image another score each time") as error:
        metrics["pyiqa:bright"](suite)
    assert "\n" not in str(error.value)


def test_hash_is_of_the_weights(stand_in: ModuleType, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    first = metrics["pyiqa:bright"](suite).card.weights_sha256
    assert metrics["pyiqa:bright"](suite).card.weights_sha256 == first

    def changed(name: str, device: torch.device) -> torch.nn.Module:
        network = _Brightness()
        network.gain.data += 1e-6
        return network

    monkeypatch.setattr(stand_in, "create_metric", changed)
    assert metrics["pyiqa:bright"](suite).card.weights_sha256 != first


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    pyiqa_metric.cache_clear()
    with pytest.raises(UnknownNameError, match=r"^metric 'pyiqa:musiq' needs the package pyiqa.*pip install") as error:
        metrics["pyiqa:musiq"]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "hint"), [("brihgt", "did you mean bright"), ("clipscore", "scores a single image")])
def test_wrong_name_is_answered(stand_in: ModuleType, name: str, hint: str) -> None:
    with pytest.raises(UnknownNameError, match=hint):
        metrics[f"pyiqa:{name}"]


def test_missing_weights_are_one_line(stand_in: ModuleType, suite: Suite) -> None:
    with pytest.raises(WeightsError, match=r"^pyiqa:broken: pyiqa could not load it \(no server\)") as error:
        metrics["pyiqa:broken"](suite)
    assert "\n" not in str(error.value)
