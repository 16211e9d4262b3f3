"""A check of what a method returns against its contract: a wrong shape would be broadcast, and nobody would see it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from methods.contracts import Distillation

#: Types of tensors that hold no numbers with an order.
_NO_NUMBERS = (torch.bool, torch.complex64, torch.complex128)


class ContractError(TypeError):
    """A method, or a part of one, returned something else than its contract says; the message is one line."""


def check_update(update: Any, latents_shape: tuple[int, ...], timestep_count: int) -> Distillation:
    """Check one update, and return it with its timesteps as int64; nothing here waits for a device.

    Args:
        update: What the method returned.
        latents_shape: ``(b, c, lh, lw)``.
        timestep_count: T of the prior.

    Raises:
        ContractError: If it is no :class:`Distillation`, or a field has another form than that says.
    """
    if not isinstance(update, Distillation):
        raise ContractError(f"the method returned a {type(update).__name__}, must be a Distillation(loss, target, …)")
    _check_shape("loss", update.loss, ())
    for name in ("target", "noise", "prediction"):
        value = getattr(update, name)
        if value is not None:
            _check_shape(name, value, latents_shape)
    for name, value in update.diagnostics.items():
        _check_shape(f"diagnostics[{name!r}]", value, ())
    times = update.timesteps
    _check_shape("timesteps", times, latents_shape[:1])
    is_number = times.device.type == "cpu" and times.dtype not in _NO_NUMBERS
    if not is_number or not bool((times.double().round() == times).all()):
        raise ContractError(f"timesteps: are {times.dtype} on {times.device.type}, must be whole numbers on the host")
    if not 0 <= float(times.min()) <= float(times.max()) < timestep_count:
        raise ContractError(f"timesteps: {times.tolist()} must be from 0 to {timestep_count - 1}")
    return update._replace(timesteps=times.long())


def check_state(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """Check that a checkpoint can keep what the ``state_dict`` of a method's state has, and return it.

    Raises:
        ContractError: If it has something else than tensors, numbers, texts, lists and dictionaries of them.
    """
    _check_plain(f"state {name!r}", state)
    return state


def _check_shape(name: str, value: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(value, Tensor):
        raise ContractError(f"{name}: is a {type(value).__name__}, must be a tensor {shape}")
    if tuple(value.shape) != shape:
        raise ContractError(f"{name}: has the shape {tuple(value.shape)}, must be {shape}")


def _check_plain(where: str, value: Any) -> None:
    if value is None or isinstance(value, Tensor | bool | int | float | str):
        return
    if isinstance(value, dict):
        for key, entry in value.items():
            if not isinstance(key, bool | int | float | str):
                raise ContractError(f"{where}: has a {type(key).__name__} for a key, must be texts or numbers")
            _check_plain(f"{where}[{key!r}]", entry)
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            _check_plain(f"{where}[{index}]", entry)
    else:
        kind = type(value).__name__
        raise ContractError(
            f"{where}: is a {kind}, which a checkpoint cannot keep; state_dict has tensors, numbers, texts, lists and "
            "dictionaries"
        )
