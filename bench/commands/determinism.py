"""Measurement of determinism on this machine: a short cell is run twice."""

from __future__ import annotations

import warnings

import torch

from bench.cells.run_cell import run_cell
from bench.cells.torch_settings import torch_settings
from bench.study.expand import expand
from bench.study.settings import EvaluationSettings
from bench.study.study import load_study
from methods.priors.loading import folder_of
from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.settings import PipelineSettings

#: Enough that a difference in one step is carried into others.
_STEPS = 5


def largest_difference(device: torch.device) -> float:
    """Largest difference of a scene's parameter between two runs of a short cell of SDS; 0 if they are bit-equal.

    Raises:
        WeightsError: If the toybox's weights are not the ones its card names.
        RuntimeError: If the cell does not come to its end.
    """
    study = load_study("quick").narrow(methods=["sds"], prompt_ids=["blue-duck"], steps=_STEPS)
    study = study.model_copy(update={"evaluation": EvaluationSettings(views=1, resolution=8)})
    cell = expand(study)[0]
    folder = folder_of(study.prior.name)
    assert folder is not None  # noqa: S101, the toybox has weights
    prior = DiffusersPrior(folder, PipelineSettings(device=str(device)))
    with torch_settings(torch.get_num_threads()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a GPU's kernels that have no deterministic form are what is measured
        one, two = (run_cell(cell, prior) for _ in range(2))
    for outcome in (one, two):
        if not outcome.scene:
            raise RuntimeError(str(outcome.record.failure or outcome.record.status))
    return max(float((one.scene[name].double() - two.scene[name].double()).abs().max()) for name in one.scene)
