"""Suites of models by name and by file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from methods.registry import UnknownNameError
from methods.weights import WeightsError, WeightsMissingError, hash_weights, read_card, verify_weights
from metrics import metrics
from metrics.suites import Suite, SuiteError, find_suite, suites
from metrics.views import Views

WEIGHTS = find_suite("toybox").folder("clip").parent


def test_toybox_comes_with_the_package() -> None:
    suite = find_suite("toybox")
    assert [suite.folder(role).name for role in ("clip", "iqa", "reward")] == ["toybox_clip"] * 2 + ["toybox_reward"]


def test_suite_stands_for_itself(suite: Suite) -> None:
    assert find_suite(suite) is suite


def test_wrong_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown suite of models 'toy_box': did you mean toybox\?$"):
        find_suite("toy_box")


def test_the_shipped_suites_say_what_they_need() -> None:
    assert {"toybox", "sd21", "clip_l14", "clip_bigg14"} <= set(suites.names())
    facts = {name: suites[name].models["clip"] for name in ("sd21", "clip_l14", "clip_bigg14")}
    assert {name: model.quick_gelu for name, model in facts.items()} == {
        "sd21": True, "clip_l14": True, "clip_bigg14": False,  # OpenAI's have QuickGELU, LAION's GELU
    }  # fmt: skip
    assert suites["sd21"].checkpoint("clip") == "sd21: OpenAI CLIP ViT-B/32 (the published checkpoint)"
    assert suites["toybox"].checkpoint("clip").startswith("toybox: toybox_clip (small models trained on the toybox; ")
    assert all(suites[name].name == name for name in suites.names())


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A suite of a user with the toybox's CLIP, as a file next to a copy of its folder."""
    shutil.copytree(WEIGHTS / "toybox_clip", tmp_path / "my_clip")
    path = tmp_path / "own.toml"
    path.write_text('note = "mine"\n[clip]\nfolder = "my_clip"\ntitle = "my CLIP"\n')
    return path


def test_a_suite_by_file_scores_as_the_same_models_by_name(
    own: Path, make_views: Callable[..., Views], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")  # its folders are relative to the file
    views, prompt = make_views(2, 64, 64), "a blue duck"
    by_file, by_name = (metrics["clip_score"](models) for models in (str(own), "toybox"))
    found, expected = (metric.score(views, prompt, [])["clip_score"] for metric in (by_file, by_name))
    assert np.array_equal(found, expected)
    assert by_file.card.checkpoint == "own: my CLIP (mine)"
    assert by_file.card.weights_sha256 == by_name.card.weights_sha256


def test_a_folder_without_a_card_is_hashed_as_it_is(own: Path) -> None:
    folder = own.parent / "my_clip"
    (folder / "card.json").unlink()
    first = hash_weights(folder)
    assert first == verify_weights(WEIGHTS / "toybox_clip")  # the same files
    assert metrics["clip_score"](str(own)).card.weights_sha256 == first
    config = folder / "open_clip_config.json"
    config.write_text(config.read_text() + "\n")
    assert hash_weights(folder) != first
    with pytest.raises(WeightsError, match="there is no such folder"):
        hash_weights(folder / "none")


def test_a_role_that_the_suite_lacks_is_one_line(own: Path) -> None:
    with pytest.raises(WeightsMissingError, match=r"^the suite own has no model for 'iqa', only for clip; .* \[iqa\]"):
        metrics["clip_iqa"](str(own))
    shutil.rmtree(own.parent / "my_clip")
    with pytest.raises(WeightsMissingError, match=r"my_clip: .* for 'clip' are missing; there is no such folder"):
        metrics["clip_score"](str(own))


def test_weights_that_are_fetched_name_the_command_of_the_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path / "home"))
    path = tmp_path / "mine.toml"
    path.write_text('[clip]\nrepository = "some-one/clip@v1"\noptional = true\n')
    suite = find_suite(str(path))
    with pytest.raises(WeightsMissingError, match=rf"home/mine/clip: .* `sdibench fetch {path} --only clip`, or set"):
        suite.folder("clip")


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        ("quick_gelu = true", "model_cfg.quick_gelu = None in open_clip_config.json, right is true: the suite says"),
        ('vision = "resnet"', "open_clip_config.json describes a vision transformer, right is a ResNet"),
        ('preprocessing = "native"', "only a CLIP with a ResNet takes images at their own size"),
    ],
)
def test_facts_of_the_file_are_compared_with_the_model(own: Path, fact: str, message: str) -> None:
    own.write_text(own.read_text() + fact)
    with pytest.raises(WeightsError) as error:
        metrics["clip_score"](str(own))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_configuration_that_is_none_is_one_line(own: Path) -> None:
    (own.parent / "my_clip" / "open_clip_config.json").write_text(json.dumps({"model_cfg": 3}))
    with pytest.raises(WeightsError, match="has no model_cfg with a vision_cfg"):
        metrics["clip_score"](str(own))


BAD = {
    "no TOML": ("[clip", "is not valid TOML"),
    "no model": ('name = "x"', "has no model; add a table for one of the roles clip, iqa"),
    "unknown key": ('[clipp]\nfolder = "."', "unknown key 'clipp': did you mean clip"),
    "unknown key of a model": ('[clip]\nfolder = "."\nquick_gellu = true', "unknown key 'clip.quick_gellu': did you m"),
    "no table": ("clip = 3", "clip = 3: input should be"),
    "no place": ('[clip]\ntitle = "x"', "[clip]: must have either folder or repository"),
    "two places": ('[clip]\nfolder = "."\nrepository = "a/b"', "[clip]: must have either folder or repository"),
    "no repository": ('[clip]\nrepository = "a b"', "clip.repository = 'a b': must be owner/name or owner/name@rev"),
    "folder": ("[clip]\nfolder = 3", "clip.folder = 3: input is not a valid path"),
    "gelu": ('[clip]\nfolder = "."\nquick_gelu = "yes"', "clip.quick_gelu = 'yes': input should be a valid boolean"),
    "preprocessing": (
        '[clip]\nfolder = "."\npreprocessing = "crop"',
        "clip.preprocessing = 'crop': input should be 'image', 'tensor' or 'native'",
    ),
    "expected alone": (
        '[clip]\nfolder = "."\nexpected = [1.0, 2.0, 3.0]',
        "[clip]: expected and tolerance belong together",
    ),
    "two expected": (
        '[clip]\nfolder = "."\nexpected = [1.0, 2.0]\ntolerance = 1.0',
        "clip.expected.2 = [1.0, 2.0]: field required",
    ),
    "tolerance": (
        '[clip]\nfolder = "."\nexpected = [1.0, 2.0, 3.0]\ntolerance = 0.0',
        "clip.tolerance = 0.0: input should be greater than 0",
    ),
    "name": ('name = "a/b"\n[clip]\nfolder = "."', "name = 'a/b': string should match pattern"),
    "resolution": ('resolution = 0\n[clip]\nfolder = "."', "resolution = 0: input should be greater than 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_file_is_one_line_with_the_key(tmp_path: Path, name: str) -> None:
    text, message = BAD[name]
    path = tmp_path / "suite.toml"
    path.write_text(text)
    with pytest.raises(SuiteError) as error:
        find_suite(str(path))
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"none\.toml: there is no such file; scorers is the name of a suite, or its"):
        find_suite(str(tmp_path / "none.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SuiteError, match="cannot be read: Is a directory"):
        find_suite(str(tmp_path / "folder.toml"))


def test_the_card_of_the_copy_is_still_compared(own: Path) -> None:
    assert read_card(own.parent / "my_clip")["title"] == "Toybox CLIP"
    (own.parent / "my_clip" / "vocab.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"vocab.json: SHA-256 is"):
        metrics["clip_score"](str(own))
