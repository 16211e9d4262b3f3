"""The loaded metrics of a study, on the device that scores it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from bench.cells.torch_settings import torch_settings
from bench.study.scorers import study_suite
from bench.study.study import Study
from methods.priors.pipeline.settings import choose_device
from metrics import Metric, metrics


def scoring_device(study: Study) -> str:
    """The device of the study's scorers, in torch's words.

    Raises:
        WeightsError: If SDIBENCH_DEVICE does not name a device of this machine.
    """
    return choose_device(uses_gpu=study_suite(study).uses_gpu)


def scoring_settings(study: Study) -> AbstractContextManager[None]:
    """On a CPU the study's threads, so that every process computes the same bits."""
    return torch_settings(study.threads) if scoring_device(study) == "cpu" else nullcontext()


def load_scorers(study: Study) -> list[Metric]:
    """Load the study's metrics, in its order.

    Raises:
        UnknownNameError: If one is not registered.
        WeightsError: If weights are missing, or not those that their card names.
    """
    device = scoring_device(study)
    return [metrics[name](study.scorer_suite, device) for name in study.metrics]


def candidate_texts(study: Study) -> list[str]:
    """The texts of the whole prompt set, so that R-precision does not depend on which of its prompts a study takes."""
    return [prompt.text for prompt in study.prompt_set().prompts]
