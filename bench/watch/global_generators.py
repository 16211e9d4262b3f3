"""The global random generators, from which nothing in a cell may draw: its numbers would not be the same twice."""

from __future__ import annotations

import random  # noqa: TID251, it is looked at, not drawn from
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class GlobalDrawError(RuntimeError):
    """Code of a cell drew from a global random generator."""


@contextmanager
def no_global_draws(what: str, device: torch.device) -> Iterator[None]:
    """Raise an error after the block if it moved a global generator.

    Args:
        what: The code in the block, for the message.
        device: The device whose generator is looked at in addition to the processor's.

    Raises:
        GlobalDrawError: If it did.
    """
    before = _states(device)
    yield
    after = _states(device)
    moved = [name for name, state in before.items() if after[name] != state]
    if moved:
        raise GlobalDrawError(
            f"{what} drew from the global generator of {' and '.join(moved)}, so that its numbers are not the same "
            'twice; draw with generator=streams["noise"]'
        )


def _states(device: torch.device) -> dict[str, object]:
    """The states by the name of the library; a GPU is not waited for."""
    states: dict[str, object] = {"torch": torch.get_rng_state().numpy().tobytes()}
    if device.type == "cuda":
        states["torch on the GPU"] = torch.cuda.get_rng_state(device).numpy().tobytes()
    drawn = np.random.get_state(legacy=False)  # noqa: NPY002, it is looked at, not drawn from
    states["numpy"] = (drawn["state"]["pos"], drawn["state"]["key"].tobytes(), drawn["has_gauss"])
    states["random"] = random.getstate()
    return states
