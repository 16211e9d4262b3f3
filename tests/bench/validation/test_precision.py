"""Half precision against float32, on the toybox's networks and on broken ones."""

from __future__ import annotations

import pytest
import torch

from bench.validation.precision import check_precision
from methods.contracts import Prior
from methods.priors.loading import folder_of
from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.settings import PipelineSettings


@pytest.fixture(autouse=True)
def half(monkeypatch: pytest.MonkeyPatch) -> PipelineSettings:
    """A machine that would run the toybox in bfloat16."""
    settings = PipelineSettings(dtype=torch.bfloat16)
    monkeypatch.setattr(PipelineSettings, "from_environment", lambda *_, **__: settings)
    return settings


def toybox(settings: PipelineSettings | None = None) -> Prior:
    folder = folder_of("toybox")
    assert folder is not None
    return DiffusersPrior(folder, settings)


def test_half_precision_rounds(half: PipelineSettings) -> None:
    check = check_precision("toybox", toybox(half))
    assert check.passed, check.values
    noise = [value for name, value in check.values.items() if name.startswith("noise")]
    assert len(noise) == 3
    assert min(noise) > 1e-4


def test_equal_numbers_are_right() -> None:
    check = check_precision("toybox", toybox())
    assert check.passed
    assert set(check.values.values()) == {"bfloat16", 0.0}


@pytest.mark.parametrize("factor", [float("nan"), 1.1])
def test_wrong_numbers_are_found(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    prior = toybox()
    encode = prior.encode
    monkeypatch.setattr(prior, "encode", lambda rgb: factor * encode(rgb))
    assert check_precision("toybox", prior).passed is False


def test_a_lost_gradient_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The forward pass is right: the encoder's gradient alone is that of float16 without a scale."""
    prior = toybox()
    encode = prior.encode
    monkeypatch.setattr(prior, "encode", lambda rgb: _Lossy.apply(encode(rgb)))
    check = check_precision("toybox", prior)
    assert check.passed is False
    assert check.values["latents"] == 0


class _Lossy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values):
        return values.clone()

    @staticmethod
    def backward(ctx, gradient):
        return (gradient / 16384).half().float() * 16384


def test_a_device_without_room_for_both_is_not_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = toybox()
    dropped: list[bool] = []
    monkeypatch.setattr(prior, "drop_text_encoders", lambda: dropped.append(True))

    def refuse(*_given: object) -> None:
        assert dropped  # what a prediction has no use for makes room first
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(DiffusersPrior, "__init__", refuse)
    check = check_precision("toybox", prior)
    assert check.passed is None
    assert "does not fit" in check.note
