"""The score-distillation methods, one file each, and the loss that their updates have in common.

A method turns a batch of rendered views into a loss whose gradient with respect to the latents is the
method's update.  Every loss is ½‖x − sg(x − update)‖² summed over a view and averaged over the batch, so
updates of different methods have comparable size and add up the same way to the scene's penalties.
"""

from __future__ import annotations

from torch import Tensor

from methods.contracts import Method
from methods.registry import Registry

methods: Registry[type[Method]] = Registry("method", "methods.distillation", base=Method)


def update_loss(latents: Tensor, update: Tensor) -> Tensor:
    """A scalar whose gradient with respect to ``latents`` ``(b c lh lw)`` is ``update`` / b.

    Raises:
        ValueError: If the update is of another shape, which would be spread over the latents.
    """
    if update.shape != latents.shape:
        shapes = f"{tuple(update.shape)}, must be that of the latents, {tuple(latents.shape)}"
        raise ValueError(f"update: has the shape {shapes}")
    aim = (latents - update).detach()
    return 0.5 * (latents - aim).square().sum() / len(latents)


def clamp_update(latents: Tensor, largest: float) -> None:
    """Clamp each element of whatever update reaches ``latents`` ``(b c lh lw)`` to ± ``largest``.

    It holds for every method, because a method's update is its loss's gradient for the latents, times b
    (gradient clamping of arXiv 2303.15413).  A term on the image itself, HiFA's, is not part of it.
    """
    if latents.requires_grad:
        bound = largest / len(latents)
        latents.register_hook(lambda gradient: gradient.clamp(-bound, bound))
