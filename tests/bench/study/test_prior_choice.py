"""The settings of a study's prior: its posterior, and the resolution of the images that it sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_pipelines import sdxl

from bench.errors import InputError
from bench.study.expand import expand
from bench.study.pinning import loaded_prior, pin
from bench.study.study import Study, load_study, parse_study
from methods.priors.loading import cached_prior
from methods.weights import WeightsError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SDIBENCH_DEVICE", "cpu")
    sdxl(tmp_path / "xl")
    cached_prior.cache_clear()
    yield tmp_path / "xl"
    cached_prior.cache_clear()


def study_of(prior: Any) -> Study:
    fields = load_study("quick").narrow(methods=["sds"], prompt_ids=["blue-duck"]).model_dump(mode="json")
    return parse_study(fields | {"prior": prior, "scorers": "toybox"}, where="here")


def test_a_resolution_makes_other_cells_and_its_absence_none(folder: Path) -> None:
    bare, own, larger = (
        study_of(prior)
        for prior in (str(folder), {"name": str(folder), "resolution": None}, {"name": str(folder), "resolution": 64})
    )
    identities = [expand(study)[0].identity for study in (bare, own, larger)]
    assert identities[0] == identities[1] != identities[2]
    cell = expand(bare)[0]
    assert cell.model_dump(mode="json")["prior"] == {"name": str(folder), "posterior": "mode"}
    assert parse_study(larger.model_dump(mode="json"), where="").prior.resolution == 64


def test_the_loaded_prior_has_the_study_s_resolution_and_is_loaded_once(folder: Path) -> None:
    larger = pin(study_of({"name": str(folder), "resolution": 64}))
    prior = loaded_prior(larger)
    assert prior.resolution == 64
    assert prior.latent_shape == (4, 16, 16)
    assert cached_prior(*larger.prior.arguments) is prior
    own = study_of(str(folder))
    assert loaded_prior(own).resolution == 32
    assert cached_prior(str(folder), "mode") is loaded_prior(own)


@pytest.mark.parametrize(
    ("prior", "resolution", "message"),
    [
        ("{folder}", 62, "resolution = 62: must be a multiple of 4, the pixels of one place that the prior's network"),
        ("gaussian", 32, "resolution = 32: the prior gaussian has one resolution only; leave it out"),
    ],
)
def test_a_resolution_that_the_prior_cannot_see_is_one_line(folder: Path, prior, resolution, message) -> None:
    study = study_of({"name": prior.format(folder=folder), "resolution": resolution})
    with pytest.raises(WeightsError) as caught:
        expand(study)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("resolution", [0, 5000, "large", 64.5])
def test_what_is_no_resolution_is_refused_by_the_study(resolution) -> None:
    with pytest.raises(InputError, match=r"prior.resolution"):
        study_of({"name": "toybox", "resolution": resolution})
