"""Settings of a pipeline on this machine, from the environment."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch

from methods.weights import WeightsError

#: The latents that stand for an image: the mode of a KL autoencoder's posterior, or a sample of it.
Posterior = Literal["mode", "sample"]

#: Precisions by the names that SDIBENCH_DTYPE takes.
_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
_SWITCH = {"": False, "0": False, "1": True}
_LOGGER = logging.getLogger("sdibench")


class NoDeviceError(WeightsError):
    """SDIBENCH_DEVICE names a GPU that this machine does not have; another one may."""


@dataclass(frozen=True)
class PipelineSettings:
    """Device, precision, posterior and resolution of a pipeline; the first two change numbers by rounding only."""

    device: str = "cpu"
    """Device (SDIBENCH_DEVICE): a GPU, if there is one, for downloaded models, and the CPU for the toybox."""
    dtype: torch.dtype = torch.float32
    """Precision of the networks (SDIBENCH_DTYPE): on a GPU float16, as in the papers' code
    (``half_precision_weights`` of threestudio's configurations); always float32 on a CPU."""
    compiled: bool = False
    """Compiles the network that predicts with ``torch.compile`` (SDIBENCH_COMPILE=1): minutes at first, faster
    afterwards."""
    posterior: Posterior = "mode"
    """The latents that a KL autoencoder's ``encode`` returns; a setting of the study, since it changes numbers."""
    resolution: int | None = None
    """Side of the images in pixels, a setting of the study too; None for the one that the network was trained on."""

    @classmethod
    def from_environment(cls, posterior: Posterior, resolution: int | None = None, *, uses_gpu: bool) -> Self:
        """The settings of this machine.

        Args:
            posterior: The study's choice.
            resolution: The study's choice.
            uses_gpu: True if a GPU is used by default, in half precision.

        Raises:
            WeightsError: If a variable has a value that it cannot have.
        """
        device = choose_device(uses_gpu=uses_gpu)
        compiled = _choose("SDIBENCH_COMPILE", _SWITCH, default=False)
        if device == "cpu":
            asked = os.environ.get("SDIBENCH_DTYPE", "")
            if uses_gpu and asked != "float32":
                _LOGGER.warning("the prior runs on the CPU in float32, not in %s", asked or "float16 on a GPU")
            return cls(device, torch.float32, compiled, posterior, resolution)
        default = torch.float16 if uses_gpu else torch.float32
        return cls(device, _choose("SDIBENCH_DTYPE", _DTYPES, default), compiled, posterior, resolution)


def choose_device(*, uses_gpu: bool) -> str:
    """The device for networks: what SDIBENCH_DEVICE names, or by default a GPU if there is one.

    A GPU that it names by its number is torch's current one from now on: what asks for any GPU then takes no memory of
    GPU 0, which may be full or another process's own.

    Raises:
        WeightsError: If the variable does not name a device of this machine.
    """
    device = os.environ.get("SDIBENCH_DEVICE") or ("cuda" if uses_gpu and torch.cuda.is_available() else "cpu")
    _check_device(device)
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)
    return device


def _choose(variable: str, values: dict[str, Any], default: Any) -> Any:
    given = os.environ.get(variable, "")
    if given and given not in values:
        right = ", ".join(name for name in values if name)
        raise WeightsError(f"{variable} = {given!r}: must be one of {right}")
    return values[given] if given else default


def _check_device(device: str) -> None:
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise WeightsError(f"SDIBENCH_DEVICE = {device!r}: must be cpu, cuda or cuda:<number>")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise NoDeviceError(
            f"SDIBENCH_DEVICE = {device!r}: torch sees {torch.cuda.device_count()} GPUs; use cpu without one"
        )
