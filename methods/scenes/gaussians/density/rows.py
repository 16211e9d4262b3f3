"""Rows of the Gaussians' parameters, and of what the optimiser remembers of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from methods.scenes.gaussians.gaussians import GaussianScene


@torch.no_grad()
def take_rows(scene: GaussianScene, optimiser: torch.optim.Optimizer, rows: Tensor, is_new: Tensor) -> None:
    """Replace the Gaussians of ``scene`` by copies of some of them, in its optimiser too.

    Each parameter is replaced by another one, at the same place of its group, because its shape changes.

    Args:
        scene: The Gaussians; every parameter of its own has a row for each of them.
        optimiser: The optimiser of the scene's parameter groups.
        rows: ``(m,)`` int64, the Gaussian that each of the new ones is a copy of.
        is_new: ``(m,)`` bool, those whose moments are 0; the others keep theirs.
    """
    for name, old in list(scene.named_parameters(recurse=False)):
        parameter = nn.Parameter(old[rows], requires_grad=old.requires_grad)
        setattr(scene, name, parameter)
        for group in optimiser.param_groups:
            group["params"] = [parameter if each is old else each for each in group["params"]]
        state = optimiser.state.pop(old, None)
        if state is None:  # before the first step
            continue
        for key, value in state.items():
            if _has_rows(value, old):
                state[key] = value[rows]
                state[key][is_new] = 0
        optimiser.state[parameter] = state


@torch.no_grad()
def forget(optimiser: torch.optim.Optimizer, parameter: nn.Parameter, rows: Tensor | slice) -> None:
    """Set the moments of some rows of ``parameter`` to 0; the number of steps stays."""
    for value in optimiser.state.get(parameter, {}).values():
        if _has_rows(value, parameter):
            value[rows] = 0


def _has_rows(value: object, parameter: Tensor) -> bool:
    """Whether an entry of the optimiser's state is like the parameter, which the number of steps is not."""
    return isinstance(value, Tensor) and value.shape == parameter.shape
