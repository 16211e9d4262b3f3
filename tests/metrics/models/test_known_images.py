"""The check at load finds what gives scores that look right and are not."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.training.known_images import render_known_images
from methods.weights import WeightsError
from metrics import Views, metrics
from metrics.models import known_images as module
from metrics.models.known_images import PROMPT, known_images
from metrics.models.suite_models import load_role, suite_clip
from metrics.suites import ScorerModel, Suite, find_suite

TOYBOX = find_suite("toybox")


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[Callable[[dict[str, Any], Path], None]], Suite]:
    """``broken(change)``: the toybox's CLIP with its stated scores, and its configuration or files changed."""

    def copy(change: Callable[[dict[str, Any], Path], None]) -> Suite:
        folder = shutil.copytree(TOYBOX.folder("clip"), tmp_path / "clip")
        (folder / "card.json").unlink()  # which would find a changed file, but not a wrong one that was fetched
        config = json.loads((folder / "open_clip_config.json").read_text())
        change(config, folder)
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        model = TOYBOX.models["clip"].model_copy(update={"folder": folder})
        return Suite(name="copy", note="a copy", models={"clip": model})

    return copy


def _quick_gelu(config: dict[str, Any], folder: Path) -> None:
    config["model_cfg"]["quick_gelu"] = True  # the toybox's is GELU; the published ones are the other way round


def _no_normalisation(config: dict[str, Any], folder: Path) -> None:
    config["preprocess_cfg"] |= {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}


def _imagenet(config: dict[str, Any], folder: Path) -> None:
    config["preprocess_cfg"] |= {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def _bilinear(config: dict[str, Any], folder: Path) -> None:
    config["preprocess_cfg"]["interpolation"] = "bilinear"


def _other_words(config: dict[str, Any], folder: Path) -> None:
    """Another vocabulary of the same size."""
    ids = json.loads((folder / "vocab.json").read_text())
    words = [word for word in ids if not word.startswith("<")]
    ids |= dict(zip(reversed(words), [ids[word] for word in words], strict=True))
    (folder / "vocab.json").write_text(json.dumps(ids))


def _letters(config: dict[str, Any], folder: Path) -> None:
    (folder / "merges.txt").write_text("#version: 0.2\n")


def _nothing(config: dict[str, Any], folder: Path) -> None: ...


@pytest.mark.parametrize("change", [_quick_gelu, _no_normalisation, _imagenet, _bilinear, _other_words, _letters])
def test_a_wrong_activation_normalisation_or_tokenizer_is_found(broken, change) -> None:
    suite = broken(change)
    with pytest.raises(WeightsError) as error:
        metrics["clip_score"](suite)
    text = str(error.value)
    assert text.startswith("the suite copy: clip: three known images score ")
    assert "but the suite's file says 74.2382, 62.2369, -5.2072 within 0.02; activation, tokenizer or norm" in text
    assert "\n" not in text
    stated = suite.models["clip"].model_copy(update={"expected": None, "tolerance": None})
    metrics["clip_score"](suite.model_copy(update={"models": {"clip": stated}}))  # without stated scores it loads


def test_the_error_has_the_values_that_a_file_may_state(broken) -> None:
    suite = broken(_nothing)
    wrong = suite.models["clip"].model_copy(update={"expected": (0.0, 0.0, 0.0)})
    with pytest.raises(WeightsError) as error:
        suite_clip(suite.model_copy(update={"models": {"clip": wrong}}), "clip")
    found = re.search(r"score ([-\d., ]+), but", str(error.value))[1]
    right = wrong.model_copy(update={"expected": tuple(map(float, found.split(", "))), "tolerance": 1e-3})
    suite_clip(suite.model_copy(update={"models": {"clip": right}}), "clip")


def test_the_order_counts_within_a_wide_tolerance(broken) -> None:
    suite = broken(_nothing)
    other = suite.models["clip"].model_copy(update={"expected": (62.0, 74.0, -5.0), "tolerance": 50.0})
    with pytest.raises(WeightsError, match="three known images score"):
        suite_clip(suite.model_copy(update={"models": {"clip": other}}), "clip")


@pytest.mark.parametrize("role", ["reward", "hps", "aesthetic"])
def test_the_other_roles_are_checked_too(role: str, make_views: Callable[..., Views]) -> None:
    model = TOYBOX.models[role]
    first = (model.expected[0] + 2 * model.tolerance, *model.expected[1:])
    suite = TOYBOX.model_copy(update={"models": {**TOYBOX.models, role: model.model_copy(update={"expected": first})}})
    name = {"reward": "image_reward"}.get(role, role)
    with pytest.raises(WeightsError, match=rf"^the suite toybox: {role}: three known images score"):
        metrics[name](suite)


def test_all_the_models_of_the_toybox_state_scores_and_have_them() -> None:
    assert all(model.expected for model in TOYBOX.models.values())
    for role in TOYBOX.models:
        load_role(TOYBOX, role)  # raises
    for role in ("clip", "iqa", "reward", "hps", "pick", "aesthetic_clip"):
        whole, degraded, other = TOYBOX.models[role].expected
        assert whole > degraded > other, role
    whole, degraded, _ = TOYBOX.models["aesthetic"].expected  # which does not read the prompt
    assert whole > degraded


def test_it_runs_once_for_the_same_weights(broken, monkeypatch: pytest.MonkeyPatch) -> None:
    suite, calls = broken(_nothing), []
    monkeypatch.setattr(module, "known_images", lambda: calls.append(1) or known_images())
    monkeypatch.setattr(module, "_right", set())
    for _ in range(2):
        metrics["clip_score"](suite)
        metrics["r_precision"](suite)
    assert len(calls) == 1
    other = suite.models["clip"].model_copy(update={"preprocessing": "tensor", "tolerance": 1.0})
    suite_clip(suite.model_copy(update={"models": {"clip": other}}), "clip")
    assert len(calls) == 2


def test_the_scores_after_the_check_are_those_without_it(make_views: Callable[..., Views], broken) -> None:
    suite, views = broken(_nothing), make_views(3, 64, 64)
    silent = ScorerModel(folder=suite.models["clip"].folder)
    with_check, without = (
        metrics["clip_score"](each).score(views, PROMPT, [])["clip_score"]
        for each in (suite, suite.model_copy(update={"models": {"clip": silent}}))
    )
    assert np.array_equal(with_check, without)


def test_the_images_are_those_of_the_script() -> None:
    rendered = [rgb for _, rgb in render_known_images()]
    assert np.abs(np.stack(rendered).astype(int) - known_images()).max() <= 1  # another machine may round otherwise
