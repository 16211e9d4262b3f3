"""Every method's update against its paper's equation, derived again in numpy on priors whose noise is exact.

The references share no code with the methods: the prior's ε is written down again, and x_t, x̂0 and the inversions
are scalar arithmetic on ᾱ.  All is in float64, so that an agreement to 1e-9 is one of formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from closed_form_world import RIVALS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from methods.cameras import Cameras
from methods.conditioning import Conditioning
from methods.contracts import InversionStrategy, Rendering, View, ViewPrompt
from methods.diffusion.bounded import with_bound
from methods.diffusion.schedules.linear import Linear
from methods.distillation import methods
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.closed_form.mixture import MixturePrior

TOLERANCE = 1e-9
LIMIT = 0.6  # of a bounded prior's clean images
SHAPE = (2, 3, 16, 16)
BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
ALPHAS = np.cumprod(1 - BETAS)
#: At the front and at the back, 20° up, at distance 3.
CAMERAS = Cameras(
    *torch.tensor([[0.0, 180.0], [20.0, 20.0], [3.0, 3.0], [40.0, 40.0]]).double(),
    *(torch.zeros(2, 3), torch.zeros(2, 3), torch.tensor([[0.0, 0.0, 1.0]] * 2)),
)


@dataclass(frozen=True)
class Given(InversionStrategy):
    """A given noise instead of a drawn one."""

    noise: np.ndarray

    def __call__(self, view, timesteps, *, prior, prompt, streams, state, until=None) -> torch.Tensor:
        return torch.from_numpy(self.noise)


@dataclass
class Case:
    """The random inputs of one comparison; texts are conditionings as each prior reads them, ``(2 k 4)``."""

    modes: int
    t: int
    scale: float
    colours: np.ndarray  # (3 3): of the prompt, the empty and the negative text
    seed: int
    bound: str = "none"
    deviation: float = 0.3
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.x = self.rng.uniform(-1, 1, SHAPE)
        self.noise = self.rng.standard_normal(SHAPE)
        spread = self.rng.uniform(-0.1, 0.1, (3, 2, self.modes, 3)) * (self.modes > 1)
        colours = self.colours[:, None, None] + spread
        colours[:, 1] *= -1  # the second view has different texts
        weights = np.log(self.rng.dirichlet(np.ones(self.modes), (3, 2)))[..., None]
        self.y, self.null, self.bad = np.concatenate([colours, weights], axis=-1)

    def eps(self, noisy: np.ndarray, t: int | np.ndarray, text: np.ndarray) -> np.ndarray:
        """√(1−ᾱ) · −∇ log p_t of the mixture of the text's modes."""
        a = ALPHAS[np.broadcast_to(t, 2)]
        variance = a * self.deviation**2 + 1 - a
        shown = np.zeros(SHAPE)
        for view in range(2):
            means = text[view, :, :3, None, None]
            away = noisy[view] - np.sqrt(a[view]) * means
            share = softmax(text[view, :, 3] - (away**2).sum(axis=(1, 2, 3)) / (2 * variance[view]))
            score = -np.tensordot(share, away, axes=1) / variance[view]
            shown[view] = -np.sqrt(1 - a[view]) * score
        return shown

    def cfg(
        self, noisy: np.ndarray, t: Any, scale: float, base: np.ndarray | None = None, *, inverting: bool = False
    ) -> np.ndarray:
        away = self.eps(noisy, t, self.null if base is None else base)
        return self.bounded(noisy, t, away + scale * (self.eps(noisy, t, self.y) - away), inverting=inverting)

    def bounded(self, noisy: np.ndarray, t: Any, noise: np.ndarray, *, inverting: bool = False) -> np.ndarray:
        """The noise of the clipped clean image, where the case is one of a bounded prior."""
        if self.bound == "none" or (inverting and self.bound == "target"):
            return noise
        a = ALPHAS[np.broadcast_to(t, 2)][:, None, None, None]
        clean = np.clip((noisy - np.sqrt(1 - a) * noise) / np.sqrt(a), -LIMIT, LIMIT)
        return (noisy - np.sqrt(a) * clean) / np.sqrt(1 - a)

    @property
    def a(self) -> float:
        return ALPHAS[self.t]

    @property
    def noisy(self) -> np.ndarray:
        return np.sqrt(self.a) * self.x + np.sqrt(1 - self.a) * self.noise

    def ddim(self, noisy: np.ndarray, t: Any, s: Any, noise: np.ndarray) -> np.ndarray:
        """The deterministic step from t to s, in either direction."""
        a, b = (ALPHAS[np.broadcast_to(index, 2)][:, None, None, None] for index in (t, s))
        return np.sqrt(b) * (noisy - np.sqrt(1 - a) * noise) / np.sqrt(a) + np.sqrt(1 - b) * noise

    @property
    def prior(self) -> GaussianPrior:
        kind = GaussianPrior if self.modes == 1 else MixturePrior
        prior = kind(deviation=self.deviation, clip_target=LIMIT)
        assert np.abs(prior.alphas_cumprod.numpy() - ALPHAS).max() < 1e-6
        prior.alphas_cumprod = torch.from_numpy(ALPHAS)
        return with_bound(prior, self.bound)

    def run(self, name: str, **changed: Any) -> tuple[np.ndarray, torch.Tensor]:
        """The gradients that the method's loss has for the latents and, where it has one, for the image."""
        prior, numbers = self.prior, 3 if self.modes == 1 else 4  # a single mode has no weight
        prompt = ViewPrompt(
            *(Conditioning(torch.from_numpy(text[..., :numbers])) for text in (self.y, self.null, self.bad))
        )
        fraction = (self.t + 0.5) / 1000
        method = methods[name](**{"schedule": Linear(fraction, fraction), **changed})
        rgb = torch.from_numpy((self.x + 1) / 2).requires_grad_()
        view = View(Rendering(rgb, rgb[:, :1], rgb[:, :1]), CAMERAS, prior)
        state = method.start(prior)
        if state:  # the LoRA as a known function: images moved by a colour
            state["lora"].adapted.turn.data = torch.from_numpy(self.turn)
            state["lora"].adapted.shift.data = torch.from_numpy(self.shift)
        streams = {name: torch.Generator().manual_seed(self.seed) for name in ("timestep", "noise")}
        out = method(view, prior=prior, prompt=prompt, progress=1.0, streams=streams, state=state)
        latents, image = torch.autograd.grad(out.loss, (view.latents, rgb), retain_graph=True)
        assert float(out.timesteps.float().mean()) == self.t
        return latents.numpy() * 2, image.numpy() * 2  # losses are means over the two views

    @property
    def turn(self) -> np.ndarray:
        return np.random.default_rng(self.seed + 1).uniform(-0.2, 0.2, (3, 16))

    @property
    def shift(self) -> np.ndarray:
        return np.array([0.3, -0.2, 0.1])


def sds(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Eq. 3 of arXiv 2209.14988."""
    ours, _ = case.run("sds", guidance_scale=case.scale, inversion=Given(case.noise))
    return ours, (1 - case.a) * (case.cfg(case.noisy, case.t, case.scale) - case.noise)


def sjc(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """−(D(z; σ) − x)/σ with D(z; σ) = z − σ ε̂(z/√(1 + σ²)) at z = x + σ ε (arXiv 2212.00774)."""
    ours, _ = case.run("sjc", guidance_scale=case.scale, inversion=Given(case.noise))
    sigma = np.sqrt((1 - case.a) / case.a)
    z = case.x + sigma * case.noise
    denoised = z - sigma * case.cfg(z / np.sqrt(1 + sigma**2), case.t, case.scale)
    return ours, -(denoised - case.x) / sigma


def nfsd(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """w·(δ_D + s·δ_C) (arXiv 2310.17590)."""
    ours, _ = case.run("nfsd", guidance_scale=case.scale, inversion=Given(case.noise))
    y, null, bad = (case.eps(case.noisy, case.t, text) for text in (case.y, case.null, case.bad))
    guided = case.bounded(case.noisy, case.t, null + case.scale * (y - null))
    return ours, (1 - case.a) * (guided - (case.t >= 200) * case.bounded(case.noisy, case.t, bad))


def csd(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """The difference of the conditional and the unconditional score (arXiv 2310.19415)."""
    ours, _ = case.run("csd", inversion=Given(case.noise))
    y, null = (case.bounded(case.noisy, case.t, case.eps(case.noisy, case.t, text)) for text in (case.y, case.null))
    return ours, y - null


def csd_family(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """All four coefficients of the released code."""
    c1, c2, c3, c4 = case.scale, -0.5, 1 - case.scale, -1.0
    given = Given(case.noise)
    ours, _ = case.run("csd", positive=c1, negative=c2, null=c3, noise=c4, inversion=given)
    texts = (case.y, case.null, case.bad)
    y, null, bad = (case.bounded(case.noisy, case.t, case.eps(case.noisy, case.t, text)) for text in texts)
    return ours, c1 * y + c2 * bad + c3 * null + c4 * case.noise


def csd_code(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """(1 − ᾱ)·(ε_y + c₂ ε_neg + c₃ ε_∅) at the last step."""
    last = {"negative": (-1.0, -0.75), "null": (0.0, -0.25)}
    ours, _ = case.run("csd-code", inversion=Given(case.noise), **last)
    texts = (case.y, case.null, case.bad)
    y, null, bad = (case.bounded(case.noisy, case.t, case.eps(case.noisy, case.t, text)) for text in texts)
    return ours, (1 - case.a) * (y - 0.75 * bad - 0.25 * null)


def ism(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """λ·σ(t)·(ε̂_y(x_t) − ε_∅(x_s)) after DDIM inversion by steps of 200 to s = t − 50 (arXiv 2311.11284)."""
    ours, _ = case.run("ism", guidance_scale=case.scale)
    noisy, s = case.x, max(case.t - 50, 0)
    for now, then in pairwise([*range(0, s, 200), s, case.t]):
        last = case.eps(noisy, now, case.null)
        subtracted = case.bounded(noisy, now, last)
        noisy = case.ddim(noisy, now, then, case.bounded(noisy, now, last, inverting=True))
    sigma = np.sqrt((1 - case.a) / case.a)
    return ours, 0.1 * sigma * (case.cfg(noisy, case.t, case.scale, case.bad) - subtracted)


def sdi(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """σ(t)·(ε̂_y(√ᾱ x + √(1−ᾱ) κ) − κ), κ from conditional DDIM inversion to t + τ (eq. 10 and 11, arXiv 2405.15891)."""
    ours, _ = case.run("sdi", gamma_fwd=case.scale, tau=0.03)
    drawn = torch.rand(2, generator=torch.Generator().manual_seed(case.seed)).numpy()
    end = np.minimum(case.t + (drawn * 0.03 * 1000).astype(int), 999)
    count = max(1, int(10 * case.t / 1000))
    noisy = case.x
    for now, then in pairwise(k * end // count for k in range(count + 1)):
        noisy = case.ddim(noisy, now, then, case.cfg(noisy, now, -7.5, inverting=True))
    a = ALPHAS[end][:, None, None, None]
    fresh = torch.randn(SHAPE, generator=torch.Generator().manual_seed(case.seed), dtype=torch.float32)
    kappa = (noisy - np.sqrt(a) * case.x) / np.sqrt(1 - a) + 0.3 * fresh.double().numpy()
    again = np.sqrt(case.a) * case.x + np.sqrt(1 - case.a) * kappa
    return ours, np.sqrt((1 - case.a) / case.a) * (case.cfg(again, case.t, case.scale) - kappa)


def cfd(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """σ(t)·(ε̂ − κ) with guidance away from the negative prompt (arXiv 2501.05445, its code)."""
    ours, _ = case.run("cfd", guidance_scale=case.scale, inversion=Given(case.noise))
    return ours, np.sqrt((1 - case.a) / case.a) * (case.cfg(case.noisy, case.t, case.scale, case.bad) - case.noise)


def fsd(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """σ(t)·(ε̂ − κ) (arXiv 2405.10988)."""
    ours, _ = case.run("fsd", gamma_fwd=case.scale, inversion=Given(case.noise))
    return ours, np.sqrt((1 - case.a) / case.a) * (case.cfg(case.noisy, case.t, case.scale) - case.noise)


def hifa(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """w·(ε̂ − ε) on the latents and λ·w·√ᾱ/√(1−ᾱ)·(I − decode(x̂0)) on the image (arXiv 2305.18766, threestudio)."""
    latents, image = case.run("hifa", guidance_scale=case.scale, inversion=Given(case.noise), image_weight=0.07)
    noise = case.cfg(case.noisy, case.t, case.scale)
    on_latents = (1 - case.a) * (noise - case.noise)
    clean = (case.noisy - np.sqrt(1 - case.a) * noise) / np.sqrt(case.a)
    shown = np.clip((clean + 1) / 2, 0, 1)
    on_image = 0.07 * (1 - case.a) * np.sqrt(case.a / (1 - case.a)) * ((case.x + 1) / 2 - shown)
    # the latents are 2 I − 1, so that the image also gets twice the latents' gradient
    return np.stack([latents, image]), np.stack([on_latents, 2 * on_latents + on_image])


def vsd(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """w·(ε_pre − ε_φ(camera)) (arXiv 2305.16213)."""
    ours, _ = case.run("vsd", guidance_scale=case.scale, inversion=Given(case.noise))
    estimated = case.bounded(case.noisy, case.t, adapted(case, cameras()))
    return ours, (1 - case.a) * (case.cfg(case.noisy, case.t, case.scale) - estimated)


def esd(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """w·(ε_pre − ½ ε_φ(camera) − ½ ε_φ(no camera)) (arXiv 2401.00909)."""
    ours, _ = case.run("esd", guidance_scale=case.scale, inversion=Given(case.noise))
    estimated = 0.5 * adapted(case, cameras()) + 0.5 * adapted(case, np.zeros((2, 16)))
    estimated = case.bounded(case.noisy, case.t, estimated)
    return ours, (1 - case.a) * (case.cfg(case.noisy, case.t, case.scale) - estimated)


def adapted(case: Case, poses: np.ndarray) -> np.ndarray:
    """The exact ε of the prompt's images moved by a camera's colour: its modes' means are moved, the rest stays."""
    moved = case.y.copy()
    moved[..., :3] += (poses @ case.turn.T + case.shift)[:, None]
    return case.eps(case.noisy, case.t, moved)


def cameras() -> np.ndarray:
    """Camera-to-world matrices of ``CAMERAS``, written by hand."""
    c, s = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
    front = [[0, -s, c, 3 * c], [1, 0, 0, 0], [0, c, s, 3 * s], [0, 0, 0, 1]]
    back = [[0, s, -c, -3 * c], [-1, 0, 0, 0], [0, c, s, 3 * s], [0, 0, 0, 1]]
    return np.array([front, back]).reshape(2, 16)


EQUATIONS = {f.__name__: f for f in (sds, sjc, nfsd, csd, csd_family, csd_code, ism, sdi, cfd, fsd, hifa, vsd, esd)}

#: A colour's channel; in steps, because texts whose colours nearly agree leave only rounding errors to compare.
UNIT = st.integers(-10, 10).map(lambda tenth: tenth / 10)


@pytest.mark.parametrize("bound", ["none", "target", "all"])
@pytest.mark.parametrize("modes", [1, 3], ids=["gaussian", "mixture"])
@pytest.mark.parametrize("equation", EQUATIONS.values(), ids=EQUATIONS)
def test_the_loss_s_gradient_is_the_paper_s_equation(equation: Callable, modes: int, bound: str) -> None:
    """With a bounded prior too, whose clean images are clipped wherever the setting says so."""

    @settings(max_examples=25 if bound == "none" else 8, derandomize=True, database=None)
    @given(
        t=st.integers(20, 980),
        scale=st.floats(-10, 101, allow_subnormal=False),
        colours=st.lists(st.tuples(UNIT, UNIT, UNIT), min_size=3, max_size=3, unique=True),
        seed=st.integers(0, 2**31),
    )
    def check(t: int, scale: float, colours: list[tuple[float, float, float]], seed: int) -> None:
        case = Case(modes, t, scale, np.array(colours), seed, bound)
        ours, expected = equation(case)
        size = np.linalg.norm(expected)
        assert size > 0 or bound != "none"  # two images at the bound may be equal
        assert np.linalg.norm(ours - expected) <= TOLERANCE * max(size, np.linalg.norm(case.noise) * (bound != "none"))

    check()


def test_every_method_has_its_equation() -> None:
    """Presets of released code (``sdi-code``) are proved by vectors of that code instead."""
    assert {name for name in methods.names() if "-" not in name} <= set(EQUATIONS) | RIVALS
