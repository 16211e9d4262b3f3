from __future__ import annotations

import pytest

from methods.contracts import Prior
from methods.priors import priors
from methods.priors.loading import load_prior, prior_card, prior_device, prior_uses_gpu
from methods.priors.pipeline.card import PriorCard, pipeline_card
from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.settings import PipelineSettings
from methods.priors.pipeline.unloaded import UnloadedPrior
from methods.weights import WeightsError


def _of(prior: Prior) -> PriorCard:
    return PriorCard(prior.weights_sha256, prior.guidance_scale, prior.negative_prompt)


@pytest.mark.parametrize("posterior", ["mode", "sample"])
def test_the_card_is_that_of_the_loaded_prior_whatever_its_settings(stable_diffusion, posterior) -> None:
    folder = stable_diffusion.folder
    assert pipeline_card(folder) == _of(DiffusersPrior(folder, PipelineSettings(posterior=posterior)))


def test_the_toybox_has_a_card_and_closed_forms_have_none() -> None:
    assert prior_card("toybox") == _of(load_prior("toybox"))
    assert prior_card("gaussian") is None
    assert "gaussian" in priors.names()


def test_the_device_is_known_without_loading(stable_diffusion, monkeypatch) -> None:
    monkeypatch.setenv("SDIBENCH_DEVICE", "cpu")
    assert prior_device(str(stable_diffusion.folder)) == prior_device("toybox") == "cpu"
    assert prior_device("gaussian") is None
    monkeypatch.setenv("SDIBENCH_DEVICE", "tpu")
    with pytest.raises(WeightsError, match="SDIBENCH_DEVICE = 'tpu': must be cpu"):
        prior_device("toybox")


def test_a_downloaded_model_uses_a_gpu_and_the_toybox_none(stable_diffusion) -> None:
    names = (str(stable_diffusion.folder), "toybox", "gaussian")
    assert [prior_uses_gpu(name) for name in names] == [True, False, False]


def test_an_unloaded_prior_is_loaded_by_the_first_request_that_its_card_cannot_answer() -> None:
    loads = []

    def load() -> Prior:
        loads.append(1)
        return load_prior("gaussian")

    prior = UnloadedPrior(PriorCard("ab", 3.0, "bad"), load)
    assert (prior.weights_sha256, prior.guidance_scale, prior.negative_prompt) == ("ab", 3.0, "bad")
    assert loads == []
    assert prior.resolution == 16
    assert loads == [1]
    with pytest.raises(AttributeError, match="colour"):
        _ = prior.colour
