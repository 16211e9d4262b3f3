"""The training loop of the toybox's models: it can be stopped at any moment and started again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from methods.atomic import replace_file

_KEEP_EVERY = 100  # steps
_WARM_UP = 100  # steps


def train(
    network: nn.Module,
    loss_of: Callable[[int], Tensor],
    *,
    steps: int,
    learning_rate: float,
    work: Path,
    settings: Mapping[str, Any],
    averaging: float | None = None,
) -> None:
    """AdamW with a warm-up, a cosine to zero, and gradients clipped at norm 1.

    ``loss_of(step)`` must draw from generators derived from the step, so that a training that was interrupted
    and goes on from its checkpoint ends with the very weights of one that was not.

    Args:
        network: Trained in place.
        loss_of: The scalar loss of a step's batch.
        steps: In all; a checkpoint that has them is only loaded.
        learning_rate: At its highest.
        work: Folder of the checkpoint.
        settings: What the training depends on; plain JSON values.
        averaging: Decay of the exponential average of the weights that ``network`` ends with; None for the last.

    Raises:
        ValueError: If ``work`` holds the checkpoint of a training with other settings.
    """
    decayed = [value for value in network.parameters() if value.ndim >= 2]
    plain = [value for value in network.parameters() if value.ndim < 2]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
        lr=learning_rate,
        betas=(0.9, 0.98),
    )
    path = work / "checkpoint.pt"
    values = [value for value in network.state_dict().values() if value.is_floating_point()]
    average = [value.clone() for value in values] if averaging is not None else []
    start = _load(path, network, optimiser, average, dict(settings)) if path.exists() else 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("training", total=steps, completed=start)
        for step in range(start, steps):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * schedule(step, steps)
            loss = loss_of(step)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            if averaging is not None:  # a shorter memory at first, which forgets the initialisation
                torch._foreach_lerp_(average, values, 1 - min(averaging, (1 + step) / (10 + step)))
            progress.update(task, advance=1, description=f"loss {loss.item():.3f}")
            if (step + 1) % _KEEP_EVERY == 0 or step + 1 == steps:
                _save(path, network, optimiser, average, dict(settings), step + 1)
                if not progress.console.is_terminal:
                    progress.console.print(f"step {step + 1} of {steps}, loss {loss.item():.4f}")
    with torch.no_grad():
        for value, mean in zip(values, average, strict=False):
            value.copy_(mean)


def use_cpu(threads: int) -> None:
    """Set the number of CPU threads, and let them treat numbers too small for a normal float as 0.

    Attention gives masked tokens such numbers, and computing with them takes twice the time of a whole step.
    Call it before anything has been computed: worker threads take the setting from the thread that starts them.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)


def schedule(step: int, steps: int) -> float:
    """Share of the highest learning rate at a step."""
    return min(1.0, (step + 1) / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))


def initialise(network: nn.Module, generator: torch.Generator, *, layers: int) -> None:
    """Fill every parameter from ``generator``: the libraries' own initialisations draw from the global one.

    Matrices get a standard deviation of one over the root of their inputs, those that end a residual branch
    less (by the root of twice the number of ``layers``), embeddings 0.02; norms are the identity, biases 0.
    """
    embeddings = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)}
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.ndim == 0:
                continue  # a logit scale keeps its published start
            if "embed" in name and (id(value) in embeddings or not name.endswith((".weight", ".bias"))):
                value.normal_(std=0.02, generator=generator)
            elif value.ndim == 1:
                value.fill_(1.0 if name.endswith("weight") else 0.0)
            else:
                ends_branch = name.endswith(("out_proj.weight", "c_proj.weight", "output.dense.weight"))
                deviation = _inputs(name, value) ** -0.5 / (math.sqrt(2 * layers) if ends_branch else 1)
                value.normal_(std=deviation, generator=generator)


def _inputs(name: str, value: Tensor) -> int:
    """Inputs of a linear map; bare projections are stored (inputs, outputs), all others (outputs, inputs…)."""
    return value.shape[0] if name.endswith(("proj", "projection")) else value[0].numel()


def _save(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: list[Tensor],
    settings: dict[str, Any],
    step: int,
) -> None:
    state = {
        "settings": settings,
        "step": step,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average,
    }
    with replace_file(path) as unfinished:
        torch.save(state, unfinished)


def _load(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: list[Tensor],
    settings: dict[str, Any],
) -> int:
    state = torch.load(path, weights_only=True)
    if state["settings"] != settings:
        raise ValueError(f"{path}: of a training with {state['settings']}, not {settings}; name another --work folder")
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    for mean, kept in zip(average, state["average"], strict=True):
        mean.copy_(kept)
    return int(state["step"])
