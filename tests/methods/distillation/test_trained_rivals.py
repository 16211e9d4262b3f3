"""ASD and LODS, which train a part of the prior, against their equations on priors whose noise is exact.

Each update is compared in batches of three views with three different timesteps, in double precision; the losses of the
training are computed again in numpy, and where they lead is known.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from closed_form_world import SHAPE, TRAINED, VIEWS, GivenNoise, World, lengths

from methods.cameras import evaluation_ring
from methods.contracts import Rendering, View
from methods.diffusion.adaptation import camera_matrices
from methods.distillation import methods
from methods.distillation.asd import ASD
from methods.distillation.lods import LODS
from methods.priors.closed_form.gaussian import GaussianPrior

TOLERANCE = 1e-9


class Learnt:
    """Known values of what is trained: a colour for each camera, or a null prompt."""

    def __init__(self, world: World) -> None:
        rng = np.random.default_rng(world.seed + 1)
        self.turn, self.shift = rng.uniform(-0.2, 0.2, (3, 16)), rng.uniform(-0.3, 0.3, 3)
        self.null = world.side[:1]  # (1 modes 4)

    def copy(self, state: Any) -> None:
        [adaptation] = state.values()
        adaptation.adapted.turn.data = torch.tensor(self.turn)
        adaptation.adapted.shift.data = torch.tensor(self.shift)

    def embedding(self, state: Any, numbers: int) -> None:
        state["null"].adapted.null.data = torch.tensor(self.null[..., :numbers])

    def moved(self, text: np.ndarray, cameras: np.ndarray) -> np.ndarray:
        """A text whose images have the colour of their camera added."""
        colours = text.copy()
        colours[..., :3] += (cameras @ self.turn.T + self.shift)[:, None]
        return colours


MATRICES = camera_matrices(evaluation_ring(VIEWS)).double().numpy()


def asd(world: World, *, perp_neg: bool = False, by_noise_level: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(1 − ᾱ)·(ε̂ − ε_φ(camera)) (arXiv 2312.00739)."""
    learnt, t, noisy = Learnt(world), world.times, world.noisy(world.times)
    given = {"guidance_scale": world.scale, "inversion": GivenNoise(world.noise), "by_noise_level": by_noise_level}
    ours = world.run("asd", prepare=learnt.copy, perp_neg=perp_neg, **given)
    guided = (world.perp if perp_neg else world.cfg)(noisy, t, world.scale)
    estimated = world.bounded(noisy, t, world.eps(noisy, t, learnt.moved(world.y, MATRICES)))
    a = world.level(t)
    return ours, (np.sqrt((1 - a) / a) if by_noise_level else 1 - a) * (guided - estimated)


def asd_perp_neg(world: World) -> tuple[np.ndarray, np.ndarray]:
    return asd(world, perp_neg=True)


def asd_by_noise_level(world: World) -> tuple[np.ndarray, np.ndarray]:
    """√((1 − ᾱ)/ᾱ) for 1 − ᾱ."""
    return asd(world, by_noise_level=True)


def lods(world: World, s: float = 1000.0, *, lora: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(1 − ᾱ)·(ε_y + (1 − s)/s·ε_φ − ε/s), ε_φ under a learnt null prompt (arXiv 2312.04820)."""
    learnt, t, noisy = Learnt(world), world.times, world.noisy(world.times)
    numbers = 3 if world.modes == 1 else 4
    prepare = learnt.copy if lora else lambda state: learnt.embedding(state, numbers)
    ours = world.run(
        "lods",
        prepare=prepare,
        guidance_scale=s,
        learns="lora" if lora else "embedding",
        inversion=GivenNoise(world.noise),
    )
    null = np.repeat(learnt.null, VIEWS, axis=0)
    text = learnt.moved(world.null, np.zeros((VIEWS, 16))) if lora else null
    away = world.bounded(noisy, t, world.eps(noisy, t, text))
    return ours, (1 - world.level(t)) * (world.cfg(noisy, t, 1.0) + (1 - s) / s * away - world.noise / s)


def lods_small_scale(world: World) -> tuple[np.ndarray, np.ndarray]:
    return lods(world, s=3.0)


def lods_lora(world: World) -> tuple[np.ndarray, np.ndarray]:
    return lods(world, lora=True)


EQUATIONS = {f.__name__: f for f in (asd, asd_perp_neg, asd_by_noise_level, lods, lods_small_scale, lods_lora)}


@pytest.mark.parametrize("bound", ["none", "target", "all"])
@pytest.mark.parametrize("modes", [1, 3], ids=["gaussian", "mixture"])
@pytest.mark.parametrize("equation", EQUATIONS.values(), ids=EQUATIONS)
def test_the_loss_s_gradient_is_the_equation(equation: Callable, modes: int, bound: str) -> None:
    for seed in range(4):
        world = World(seed, modes=modes, bound=bound, rescale=0.7 * (seed % 2))
        ours, expected = equation(world)
        size = lengths(expected)
        assert size.max() > 0
        assert size.min() > 0 or bound != "none"  # two images at the bound may be equal
        # bounded predictions may nearly cancel: their rounding is that of the noise
        least = np.linalg.norm(world.noise) * (bound != "none")
        assert (lengths(ours - expected) <= TOLERANCE * np.maximum(size, least)).all()


def test_each_has_its_equation() -> None:
    assert set(EQUATIONS) >= TRAINED


def drawn(world: World) -> tuple[np.ndarray, np.ndarray]:
    """The timesteps and the noise of the training, which the streams draw first where the update draws nothing."""
    t = torch.randint(0, 1000, (VIEWS,), generator=torch.Generator().manual_seed(world.seed))
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(world.seed))
    return t.numpy(), noise.double().numpy()


@pytest.mark.parametrize("modes", [1, 3], ids=["gaussian", "mixture"])
def test_the_lora_of_asd_is_pushed_away_from_the_prior(modes: int) -> None:
    """mean |ε_φ − ε|² + γ·mean |ε_φ − ε_y|², and with γ = 0 VSD's loss."""
    for gamma in (-0.75, -1.0, 0.5, 0.0):
        world = World(5, modes=modes)
        learnt = Learnt(world)
        given = {"inversion": GivenNoise(world.noise), "camera_dropout": 0.0}
        world.run("asd", prepare=learnt.copy, gamma=gamma, **given)
        t, noise = drawn(world)
        noisy = world.noisy(t, noise)
        trained = world.eps(noisy, t, learnt.moved(world.y, MATRICES))
        loss = ((trained - noise) ** 2).mean() + gamma * ((trained - world.eps(noisy, t, world.y)) ** 2).mean()
        assert float(world.out.diagnostics["lora_loss"]) == pytest.approx(loss, rel=1e-9)
    world.run("vsd", prepare=learnt.copy, **given)
    assert float(world.out.diagnostics["lora_loss"]) == pytest.approx(loss, rel=1e-9)


def test_with_perp_neg_asd_is_pushed_away_from_the_perpendicular_prediction() -> None:
    """ε_y + Σ w_i (ε_i)⊥ε_y, without the empty prompt, as the released code has it."""
    world = World(6)
    learnt = Learnt(world)
    given = {"inversion": GivenNoise(world.noise), "camera_dropout": 0.0}
    world.run("asd", prepare=learnt.copy, perp_neg=True, **given)
    t, noise = drawn(world)
    noisy = world.noisy(t, noise)
    e = world.eps(noisy, t, world.y)
    target = e.copy()
    for index, text in enumerate((world.front, world.side)):
        other = world.eps(noisy, t, text)
        along = (other * e).sum((1, 2, 3), keepdims=True) / (e**2).sum((1, 2, 3), keepdims=True)
        target += world.weights[:, index, None, None, None] * (other - along * e)
    trained = world.eps(noisy, t, learnt.moved(world.y, MATRICES))
    loss = ((trained - noise) ** 2).mean() - 0.75 * ((trained - target) ** 2).mean()
    assert float(world.out.diagnostics["lora_loss"]) == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize("learns", ["embedding", "lora"])
def test_lods_trains_on_the_noise_of_the_renders_under_no_prompt(learns: str) -> None:
    world = World(7)
    learnt = Learnt(world)
    prepare = learnt.copy if learns == "lora" else lambda state: learnt.embedding(state, 3)
    world.run("lods", prepare=prepare, learns=learns, inversion=GivenNoise(world.noise))
    t, noise = drawn(world)
    text = (
        learnt.moved(world.null, np.zeros((VIEWS, 16))) if learns == "lora" else np.repeat(learnt.null, VIEWS, axis=0)
    )
    loss = ((world.eps(world.noisy(t, noise), t, text) - noise) ** 2).mean()
    assert float(world.out.diagnostics["null_loss"]) == pytest.approx(loss, rel=1e-9)


@pytest.fixture
def learnt_colour(prior: GaussianPrior, prompt: Any, make_streams: Any) -> Callable[[Any, str], torch.Tensor]:
    """Trains a method on images of a colour, on the prior whose images have others; the colour that was learnt."""
    renders = torch.tensor([0.1, -0.06, 0.02])

    def train(method: Any, name: str) -> torch.Tensor:
        generator, streams, state = torch.Generator().manual_seed(1), make_streams(), method.start(prior)
        same = prompt._replace(positive=prompt.null)
        learnt = []
        for _ in range(300):
            latents = renders[:, None, None] + prior.deviation * torch.randn(2, 3, 16, 16, generator=generator)
            rgb = (latents + 1) / 2
            view = View(Rendering(rgb, rgb[:, :1], rgb[:, :1]), evaluation_ring(2), prior)
            method(view, prior=prior, prompt=same, progress=0.0, streams=streams, state=state)
            [value] = [each for key, each in state[name].adapted.parameters().items() if key in ("shift", "null")]
            learnt.append(value.detach().flatten().clone())
        return torch.stack(learnt[150:]).mean(dim=0) / renders  # steps of constant size oscillate about the optimum

    return train


def test_the_optimum_of_asd_overshoots_the_renders(learnt_colour) -> None:
    """(E[ε | x_t] + γ ε_y)/(1 + γ): with γ = −0.75 the colour of ε_φ is four times as far from the prior's."""
    cameras = {"camera_dropout": 1.0, "lora_learning_rate": 0.01}
    torch.testing.assert_close(learnt_colour(ASD(**cameras), "lora"), torch.full((3,), 4.0), rtol=0.15, atol=0)


def test_the_null_prompt_of_lods_becomes_that_of_the_renders(learnt_colour) -> None:
    torch.testing.assert_close(learnt_colour(LODS(learning_rate=0.01), "null"), torch.ones(3), rtol=0.3, atol=0)


def test_at_first_lods_is_sds_divided_by_its_scale() -> None:
    world = World(8)
    world.null[:] = 0.0  # the closed-form prior's own null prompt, which the learnt one starts from
    given = {"inversion": GivenNoise(world.noise), "guidance_scale": 7.5}
    np.testing.assert_allclose(7.5 * world.run("lods", **given), world.run("sds", **given), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("learns", ["embedding", "lora"])
def test_what_lods_learns_continues_bit_for_bit(learns, prior, prompt, rgb, make_view, make_streams) -> None:
    method = LODS(learns=learns, learning_rate=0.1)

    def step(state: Any, seed: int) -> torch.Tensor:
        view = make_view(prior, rgb)
        out = method(view, prior=prior, prompt=prompt, progress=0.0, streams=make_streams(seed), state=state)
        return torch.autograd.grad(out.loss, view.latents)[0]

    state = method.start(prior)
    for seed in range(3):
        step(state, seed)
    file = io.BytesIO()
    torch.save(state["null"].state_dict(), file)
    through = [step(state, seed) for seed in (3, 4)][1]
    file.seek(0)
    resumed = method.start(prior)
    resumed["null"].load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal([step(resumed, seed) for seed in (3, 4)][1], through)
    assert not torch.equal([step(method.start(prior), seed) for seed in (3, 4)][1], through)


def test_the_prior_s_own_null_prompt_stays(prior, prompt, rgb, make_view, make_streams) -> None:
    """Even if the prior returns the same tensor each time."""
    method, kept = LODS(learning_rate=0.1), prior.null(1)
    prior.null = lambda count: replace(kept, sequence=kept.sequence.expand(count, -1, -1))
    before, state = kept.sequence.clone(), method.start(prior)
    method(make_view(prior, rgb), prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state=state)
    assert torch.equal(prior.null(1).sequence, before)
    assert not torch.equal(state["null"].adapted.null, before)


def test_rows_of_a_step(prior, prompt, rgb, make_view, make_streams) -> None:
    """ASD has one row for each view more than VSD, for ε_y where the LoRA is trained; LODS needs three."""
    for method, rows in ((ASD(), 2 + 1 + 1 + 1), (LODS(), 1 + 1 + 1), (LODS(learns="lora"), 1 + 1 + 1)):
        state, before = method.start(prior), prior.rows
        method(make_view(prior, rgb), prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state=state)
        assert prior.rows - before == 2 * rows


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("asd", {"gamma": -1.5}, r"gamma: -1.5 is not at least -1, below which the loss of the LoRA has no minimum"),
        ("asd", {"camera_dropout": 2.0}, r"camera_dropout: 2.0 is not a probability"),
        ("lods", {"guidance_scale": 0.0}, r"guidance_scale: 0.0 is not a positive number"),
        ("lods", {"lora_rank": 0}, r"lora_rank: 0 is not a positive number"),
    ],
)
def test_impossible_settings_are_named(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        methods[name](**settings)
