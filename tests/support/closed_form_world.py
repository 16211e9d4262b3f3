"""Priors whose noise is exact, written again in numpy and float64, for batches whose views have different timesteps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

from methods.cameras import evaluation_ring
from methods.conditioning import Conditioning
from methods.contracts import InversionStrategy, Perpendicular, Rendering, TimestepSchedule, View, ViewPrompt
from methods.diffusion.bounded import with_bound
from methods.distillation import methods
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.closed_form.mixture import MixturePrior

VIEWS = 3
SHAPE = (VIEWS, 3, 16, 16)
LIMIT = 0.6  # of a bounded prior's clean images
DEVIATION = 0.3
BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
ALPHAS = np.cumprod(1 - BETAS)


@dataclass(frozen=True)
class GivenNoise(InversionStrategy):
    """A given noise instead of a drawn one."""

    noise: np.ndarray

    def __call__(self, view, timesteps, *, prior, prompt, streams, state, until=None) -> torch.Tensor:
        return torch.from_numpy(self.noise)


@dataclass(frozen=True)
class GivenTimes(TimestepSchedule):
    """Given timesteps, one for each view, instead of drawn ones."""

    times: tuple[int, ...]

    def __call__(self, prior, progress, count, generator) -> torch.Tensor:
        return torch.tensor(self.times[:count])


class World:
    """The inputs of one comparison, and the arithmetic of diffusion on them.

    Args:
        seed: Seed of all of them.
        modes: Kinds of image; one is a Gaussian prior.
        bound: The study's setting.
        times: A timestep for each view; random ones by default.
        rescale: φ of rescaled guidance.
    """

    def __init__(
        self,
        seed: int,
        *,
        modes: int = 1,
        bound: str = "none",
        times: tuple[int, ...] | None = None,
        rescale: float = 0.0,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.seed, self.modes, self.bound, self.rescale = seed, modes, bound, rescale
        self.times = np.array(times or rng.choice(np.arange(20, 981), VIEWS, replace=False))
        self.x = rng.uniform(-1, 1, SHAPE)
        self.noise = rng.standard_normal(SHAPE)
        self.scale = rng.uniform(-5, 30)
        colours = rng.uniform(-1, 1, (5, VIEWS, 1, 3)) + rng.uniform(-0.1, 0.1, (5, VIEWS, modes, 3)) * (modes > 1)
        weights = np.log(rng.dirichlet(np.ones(modes), (5, VIEWS)))[..., None]
        self.y, self.null, self.bad, self.front, self.side = np.concatenate([colours, weights], axis=-1)
        self.weights = -rng.uniform(0, 2, (VIEWS, 2))  # of the two views of Perp-Neg

    @staticmethod
    def level(t: Any) -> np.ndarray:
        """ᾱ ``(b 1 1 1)``."""
        return ALPHAS[np.broadcast_to(t, VIEWS)][:, None, None, None]

    def noisy(self, t: Any, noise: np.ndarray | None = None) -> np.ndarray:
        a = self.level(t)
        return np.sqrt(a) * self.x + np.sqrt(1 - a) * (self.noise if noise is None else noise)

    def eps(self, noisy: np.ndarray, t: Any, text: np.ndarray) -> np.ndarray:
        """√(1−ᾱ) · −∇ log p_t of the mixture of the text's modes."""
        found = np.zeros(SHAPE)
        for view, a in enumerate(self.level(t).ravel()):
            variance = a * DEVIATION**2 + 1 - a
            away = noisy[view] - np.sqrt(a) * text[view, :, :3, None, None]
            share = softmax(text[view, :, 3] - (away**2).sum(axis=(1, 2, 3)) / (2 * variance))
            found[view] = np.sqrt(1 - a) * np.tensordot(share, away, axes=1) / variance
        return found

    def clean(self, noisy: np.ndarray, t: Any, noise: np.ndarray) -> np.ndarray:
        a = self.level(t)
        return (noisy - np.sqrt(1 - a) * noise) / np.sqrt(a)

    def bounded(self, noisy: np.ndarray, t: Any, noise: np.ndarray, *, inverting: bool = False) -> np.ndarray:
        """The noise of the clipped clean image, in a world with a bound."""
        if self.bound == "none" or (inverting and self.bound == "target"):
            return noise
        a = self.level(t)
        return (noisy - np.sqrt(a) * np.clip(self.clean(noisy, t, noise), -LIMIT, LIMIT)) / np.sqrt(1 - a)

    def cfg(
        self, noisy: np.ndarray, t: Any, scale: float, base: np.ndarray | None = None, *, inverting: bool = False
    ) -> np.ndarray:
        away = self.eps(noisy, t, self.null if base is None else base)
        guided = away + scale * (self.eps(noisy, t, self.y) - away)
        if self.rescale and scale != 0.0 and not inverting:  # without guidance there is nothing to rescale
            guided = self.rescaled(noisy, t, guided)
        return self.bounded(noisy, t, guided, inverting=inverting)

    def rescaled(self, noisy: np.ndarray, t: Any, noise: np.ndarray) -> np.ndarray:
        """The noise of φ·x̂0·std(x̂0 under the prompt)/std(x̂0) + (1 − φ)·x̂0."""
        clean, plain = self.clean(noisy, t, noise), self.clean(noisy, t, self.eps(noisy, t, self.y))
        ratio = [(b.std(ddof=1) + 1e-8) / (a.std(ddof=1) + 1e-8) for a, b in zip(clean, plain, strict=True)]
        wanted = self.rescale * np.array(ratio)[:, None, None, None] * clean + (1 - self.rescale) * clean
        a = self.level(t)
        return (noisy - np.sqrt(a) * wanted) / np.sqrt(1 - a)

    def perp(self, noisy: np.ndarray, t: Any, scale: float, share: float = 1.0) -> np.ndarray:
        """ε_∅ + s·(e + share·Σ w_i (e_i)⊥e), with Perp-Neg's two negatives."""
        away = self.eps(noisy, t, self.null)
        e = self.eps(noisy, t, self.y) - away
        total = e.copy()
        for index, text in enumerate((self.front, self.side)):
            other = self.eps(noisy, t, text) - away
            along = (other * e).sum((1, 2, 3), keepdims=True) / (e**2).sum((1, 2, 3), keepdims=True)
            total += share * self.weights[:, index, None, None, None] * (other - along * e)
        return self.bounded(
            noisy, t, self.rescaled(noisy, t, away + scale * total) if self.rescale else away + scale * total
        )

    def ddim(self, noisy: np.ndarray, t: Any, s: Any, noise: np.ndarray) -> np.ndarray:
        """The deterministic step from t to s, in either direction."""
        b = self.level(s)
        return np.sqrt(b) * self.clean(noisy, t, noise) + np.sqrt(1 - b) * noise

    @property
    def prior(self) -> GaussianPrior:
        kind = GaussianPrior if self.modes == 1 else MixturePrior
        prior = kind(deviation=DEVIATION, clip_target=LIMIT)
        prior.alphas_cumprod = torch.from_numpy(ALPHAS)
        return with_bound(prior, self.bound)

    def prompt(self, *, perp_neg: bool = False) -> ViewPrompt:
        numbers = 3 if self.modes == 1 else 4  # a single mode has no weight
        texts = (self.y, self.null, self.bad, self.front, self.side)
        y, null, bad, *others = (Conditioning(torch.from_numpy(text[..., :numbers])) for text in texts)
        negatives = Perpendicular(tuple(others), torch.from_numpy(self.weights)) if perp_neg else None
        return ViewPrompt(y, null, bad, perpendicular=negatives, rescale=self.rescale)

    def run(
        self,
        name: str,
        *,
        progress: float = 1.0,
        perp_neg: bool = False,
        prepare: Callable[[Any], None] | None = None,
        **changed: Any,
    ) -> np.ndarray:
        """The update: the gradient that the method's loss has for the latents, which is a mean over the views.

        ``prepare`` is called with the method's state before the step.
        """
        prior = self.prior
        method = methods[name](**{"schedule": GivenTimes(tuple(self.times.tolist())), **changed})
        rgb = torch.from_numpy((self.x + 1) / 2).requires_grad_()
        view = View(Rendering(rgb, rgb[:, :1], rgb[:, :1]), evaluation_ring(VIEWS), prior)
        streams = {stream: torch.Generator().manual_seed(self.seed) for stream in ("timestep", "noise")}
        state = method.start(prior)
        if prepare is not None:
            prepare(state)
        asked = self.prompt(perp_neg=perp_neg)
        out = method(view, prior=prior, prompt=asked, progress=progress, streams=streams, state=state)
        self.out = out
        return torch.autograd.grad(out.loss, view.latents, retain_graph=True)[0].numpy() * VIEWS


def lengths(values: np.ndarray) -> np.ndarray:
    """The 2-norm of each view."""
    return np.sqrt((values**2).sum(axis=(1, 2, 3)))


#: Names of the methods that test_rivals.py and test_trained_rivals.py in tests/methods/distillation prove.
RIVALS = frozenset({"asd", "asyncsd", "bridge", "bsd", "cds", "dsd", "lods", "pfd", "rfds", "tsm"})

#: Those of them that train a part of the prior.
TRAINED = frozenset({"asd", "lods"})
