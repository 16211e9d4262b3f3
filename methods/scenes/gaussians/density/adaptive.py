"""Adaptive density control of 3D Gaussian Splatting (arXiv 2308.04079, section 5.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from methods.scenes.gaussians.density import density_controls
from methods.scenes.gaussians.density.density_control import Controller, DensityControl
from methods.scenes.gaussians.density.rows import forget, take_rows
from methods.scenes.gaussians.rasterisers.rasteriser import Rasterised
from methods.scenes.gaussians.rotation import rotation_matrix
from methods.settings import require
from methods.transfer import to_device

if TYPE_CHECKING:
    from methods.scenes.gaussians.gaussians import GaussianScene

#: What the standard deviations of a Gaussian are divided by where it is split in two (3D Gaussian Splatting).
_SHRINK = 1.6

#: The opacity of a reset over the opacity below which a Gaussian is removed (3D Gaussian Splatting, gsplat).
_RESET = 2.0


@density_controls.register("adaptive")
@dataclass(frozen=True)
class Adaptive(DensityControl):
    """Gaussians that the images pull at are cloned or split, and faint and large ones are removed.

    The defaults are LucidDreamer's, whose cameras have an extent of 3.5 world units.  DreamGaussian: ``every`` 50,
    ``start`` 0, ``end`` 1, ``gradient`` 0.01, ``split_size`` 0.04, ``min_opacity`` 0.01, ``largest`` 0.4,
    ``reset_every`` 700.  gsplat: 100, 0.017, 0.5, 0.0002, 0.01 and 0.1 of the extent, 0.005, 3000.

    The gradient is that of the method's own loss: a method with a larger update has more Gaussians.

    Raises:
        ValueError: If a setting is out of its range, or there are more Gaussians than ``most`` from the start.
    """

    every: int = 100
    """Steps between two changes."""
    start: float = 0.02
    """Progress before which nothing is changed, in [0, 1]."""
    end: float = 0.6
    """Progress after which nothing is changed, in [0, 1]."""
    gradient: float = 7.5e-4
    """Mean norm of the loss's gradient by a centre in an image, in units of half of its side, above which a Gaussian is
    cloned or split."""
    split_size: float = 0.0105
    """Largest standard deviation of a Gaussian that is cloned, not split, world units."""
    min_opacity: float = 0.005
    """Opacity below which a Gaussian is removed."""
    largest: float = 0.35
    """Standard deviation above which a Gaussian is removed, after the first reset, world units."""
    reset_every: int = 300
    """Steps between two resets of all opacities to at most twice ``min_opacity``; 0 for none."""
    most: int = 20_000
    """Number of Gaussians that is not exceeded: those with the largest gradients are cloned or split first."""

    def __post_init__(self) -> None:
        require(self.every >= 1, "every", self.every, "a positive number of steps")
        require(0 <= self.start <= 1, "start", self.start, "a progress between 0 and 1")
        require(self.start <= self.end <= 1, "end", self.end, f"a progress between start ({self.start:g}) and 1")
        require(self.gradient > 0, "gradient", self.gradient, "a positive norm")
        require(self.split_size > 0, "split_size", self.split_size, "a positive distance in world units")
        require(0 < self.min_opacity < 0.5, "min_opacity", self.min_opacity, "an opacity between 0 and 0.5")
        require(self.largest > 0, "largest", self.largest, "a positive distance in world units")
        require(self.reset_every >= 0, "reset_every", self.reset_every, "a number of steps, or 0 for no reset")
        require(self.most >= 1, "most", self.most, "a positive number of Gaussians")

    def build(self, count: int) -> Controller:
        """The controller of ``count`` Gaussians."""
        require(count <= self.most, "most", self.most, f"at least the {count} Gaussians before the first step")
        return AdaptiveController(self, count)


class AdaptiveController(Controller):
    """Adds up gradients, and clones, splits, removes and resets.

    Args:
        settings: Times and bounds.
        count: Number of Gaussians.
    """

    gradient_sum: Tensor  # (n,), norms since the last change
    seen: Tensor  # (n,), how many images these are of

    def __init__(self, settings: Adaptive, count: int) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("gradient_sum", torch.zeros(count))
        self.register_buffer("seen", torch.zeros(count))

    def diagnostics(self, count: int) -> dict[str, float]:
        """Whether no Gaussian can be added."""
        return {"cap_reached": float(count >= self.settings.most)}

    def watch(self, rasterised: Rasterised) -> None:
        """Add up the gradient of each image's centres once it is known."""
        if rasterised.centres.requires_grad:
            views, _, side, _ = rasterised.sums.shape
            with torch.no_grad():
                reach = rasterised.radii[..., None]
                inside = (rasterised.centres + reach > 0) & (rasterised.centres - reach < side)
                is_seen = (rasterised.radii > 0) & inside.all(-1)  # as gsplat: other images do not count in the mean

            def add(gradient: Tensor) -> None:
                norms = gradient.norm(dim=-1) * (views * side / 2)  # a loss is a mean over the views
                self.gradient_sum += torch.where(is_seen, norms, 0.0).sum(0)
                self.seen += is_seen.sum(0)

            rasterised.centres.register_hook(add)

    @torch.no_grad()
    def after_step(
        self,
        scene: GaussianScene,
        *,
        step: int,
        progress: float,
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> None:
        """Clone, split and remove every few steps, and reset the opacities at longer intervals."""
        settings = self.settings
        if step == 0 or not settings.start <= progress <= settings.end:
            return
        if step % settings.every == 0:
            self._grow(scene, optimiser, generator)
            self._prune(scene, optimiser, largest=settings.largest if step > settings.reset_every else math.inf)
            self.gradient_sum = self.gradient_sum.new_zeros(len(scene.means))
            self.seen = torch.zeros_like(self.gradient_sum)
        if settings.reset_every and step % settings.reset_every == 0:
            opacity = torch.tensor(_RESET * settings.min_opacity, dtype=torch.float64)
            scene.opacity_logits.clamp_(max=float(opacity.logit()))
            forget(optimiser, scene.opacity_logits, slice(None))

    def _grow(self, scene: GaussianScene, optimiser: torch.optim.Optimizer, generator: torch.Generator) -> None:
        """Each Gaussian over the threshold becomes two."""
        mean = self.gradient_sum / self.seen.clamp(min=1)
        chosen = mean.argsort(descending=True, stable=True)
        chosen = chosen[mean[chosen] > self.settings.gradient][: max(0, self.settings.most - len(mean))]
        if len(chosen) == 0:
            return
        chosen = chosen.sort().values
        is_large = scene.log_scales[chosen].exp().amax(1) > self.settings.split_size
        cloned, split = chosen[~is_large], chosen[is_large]
        kept = torch.ones_like(mean, dtype=torch.bool)
        kept[split] = False
        rows = torch.cat([kept.nonzero()[:, 0], cloned, split, split])
        is_new = torch.arange(len(rows), device=rows.device) >= kept.sum()
        take_rows(scene, optimiser, rows, is_new)
        halves = slice(len(rows) - 2 * len(split), None)
        noise = torch.randn((2 * len(split), 3), generator=generator, device=generator.device)
        along = scene.log_scales[halves].exp() * to_device(noise, scene.means)
        scene.means[halves] += (rotation_matrix(scene.rotations[halves]) @ along[..., None])[..., 0]
        scene.log_scales[halves] -= math.log(_SHRINK)

    def _prune(self, scene: GaussianScene, optimiser: torch.optim.Optimizer, largest: float) -> None:
        """Remove the faint, and those with a standard deviation over ``largest``."""
        is_faint = scene.opacity_logits.sigmoid() < self.settings.min_opacity
        gone = is_faint | (scene.log_scales.exp().amax(1) > largest)
        if gone.any():
            rows = (~gone).nonzero()[:, 0]
            take_rows(scene, optimiser, rows, torch.zeros_like(rows, dtype=torch.bool))
