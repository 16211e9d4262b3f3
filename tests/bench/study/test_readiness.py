from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import bench.study.readiness
from bench.errors import InputError
from bench.study.expand import expand
from bench.study.readiness import NotInstalledError, check_ready, check_scenes
from bench.study.study import Study, load_study


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("samples = 8", "samples = 0", "scene: samples: 0 is not a positive number"),
        ("samples = 8", 'encoding = "densegrid"', "scene: unknown encoding 'densegrid': did you mean dense_grid"),
        ('"nerf"\nsamples = 8', '"latent"\ninitial_std = -1.0', "scene: initial_std: -1.0 is not zero or a positive"),
        ("[methods.sdi]", "[methods.sdi.settings.scene]\nsamples = -1", "methods.sdi.*|scene: samples: -1 is not"),
    ],
)
def test_a_scene_that_cannot_be_built_is_told_before_anything_runs(
    study_file: Path, old: str, new: str, message: str
) -> None:
    text = study_file.read_text()
    assert old in text
    study_file.write_text(text.replace(old, new))
    study = load_study(study_file)
    expand(study)  # its cells have names all the same
    with pytest.raises(InputError, match=message) as caught:
        check_ready(study)
    assert not isinstance(caught.value, NotInstalledError)


def test_a_package_that_is_missing_is_told_from_a_wrong_setting(
    study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file.write_text(study_file.read_text().replace("samples = 8", 'encoding = "tcnn_hash_grid"'))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotInstalledError, match=r"scene: encoding: 'tcnn_hash_grid' needs tinycudann, built from git"):
        check_ready(load_study(study_file))


def test_a_scene_of_latents_is_tried_without_the_study_s_prior(
    study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file.write_text(study_file.read_text().replace('"nerf"\nsamples = 8', '"latent"'))

    def refuse(name: str) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(bench.study.readiness, "cached_prior", refuse)
    check_scenes(load_study(study_file))


def test_arms_with_the_same_scene_are_tried_once(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(bench.study.readiness, "_try", lambda arm, where: tried.append(arm.scene_settings["samples"]))
    check_scenes(study)
    assert tried == [8]
