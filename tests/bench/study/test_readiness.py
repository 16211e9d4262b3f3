from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import bench.study.readiness
from bench.errors import InputError
from bench.study.expand import expand
from bench.study.readiness import NotInstalledError, check_ready, check_scenes
from bench.study.study import Study, load_study
from methods.scenes.gaussians.rasterisers import gsplat
from methods.scenes.nerf.marching.occupancy import OccupancyMarching
from methods.scenes.nerf.nerf import NeRF

FUSED = '{ name = "hash_grid", layout = "tiny_cuda_nn", backend = "tinycudann" }'
SETTINGS = """marching = { name = "occupancy", samples = 14 }
encoding = { name = "dense_grid", resolutions = [8, 16] }"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            SETTINGS,
            'normals.kind = "analytic"',
            "^tiny: scene: normals.kind: 'analytic' is not possible with this encoding",
        ),
        (
            "[methods.sdi]",
            '[methods.sdi.settings.scene]\nnormals.kind = "analytic"',
            "^tiny: methods.sdi.settings.scene: normals.kind: 'analytic'",
        ),
        (  # the arm has it from the study
            SETTINGS,
            'normals.kind = "analytic"\n[methods.sds.settings.scene]\nradius = 1.1',
            "^tiny: scene: normals.kind: 'analytic'",
        ),
    ],
)
def test_a_scene_that_cannot_be_built_is_named_before_anything_runs(
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


def test_a_missing_package_is_distinguished_from_a_wrong_setting(
    study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file.write_text(study_file.read_text().replace(SETTINGS, f"encoding = {FUSED}"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotInstalledError, match=r"scene: encoding.backend: 'tinycudann' needs the package"):
        check_ready(load_study(study_file))


def test_a_machine_that_only_submits_jobs_needs_no_gpu(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def asking(**settings: Any) -> Study:
        return study.model_copy(update={"scene": {"name": "gaussians", "rasteriser": "gsplat", **settings}})

    monkeypatch.setattr(gsplat, "problem", lambda: "has no CUDA device here")
    check_ready(asking(count=9), is_elsewhere=True)
    with pytest.raises(NotInstalledError, match=r"scene: rasteriser: 'gsplat' needs .* has no CUDA device here"):
        check_ready(asking(count=9))
    with pytest.raises(InputError, match=r"scene: is too large for the memory"):  # the settings are looked at
        check_ready(asking(count=10**11), is_elsewhere=True)
    monkeypatch.setattr(gsplat, "problem", lambda: "is not installed")
    with pytest.raises(NotInstalledError, match="gsplat is not installed"):
        check_ready(asking(count=9), is_elsewhere=True)


def test_a_scene_of_latents_is_tried_without_the_study_s_prior(
    study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_file.write_text(study_file.read_text().replace(f'"nerf"\n{SETTINGS}', '"latent"'))

    def refuse(*names: str) -> None:
        raise AssertionError(names)

    monkeypatch.setattr(bench.study.readiness, "loaded_prior", refuse)
    check_scenes(load_study(study_file))


def test_arms_with_the_same_scene_are_tried_once(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    build = NeRF.build

    def count(self: NeRF, *given: Any) -> Any:
        built.append(self.marching)
        return build(self, *given)

    monkeypatch.setattr(NeRF, "build", count)
    check_scenes(study)
    assert built == [OccupancyMarching(14)]


@pytest.mark.parametrize(
    "scene",
    [
        {"name": "gaussians", "count": 10**11},
        {"name": "nerf", "encoding": {"name": "dense_grid", "resolutions": [100_000]}},
        {"name": "nerf", "occupancy": {"resolution": 100_000}},
    ],
)
def test_a_scene_that_no_machine_can_hold_is_one_line(study: Study, scene: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^\S+: scene: is too large for the memory of this machine: "):
        check_scenes(study.model_copy(update={"scene": scene}))
