"""The paper's central claim (sections 4.2 and 5, eq. 4 to 10 of arXiv 2405.15891): score distillation is DDIM.

In two dimensions, started from DDIM's x_T and given as κ the prediction of the step before, a method's own
gradient carries the latents along DDIM's clean predictions x̂0(t), exactly.  A step of size b, the batch, undoes
the mean over views.  With SDI the gradient is σ(t)(ε̂ − κ) = x − x̂0, so it is the whole step.  SDS weighs ε̂ − κ
by w(t) = 1 − ᾱ_t instead of σ(t) = √((1 − ᾱ_t)/ᾱ_t), so the same step is its gradient times
σ(t)/w(t) = 1/√(ᾱ_t (1 − ᾱ_t)).  With κ drawn again in each step, as SDS does, it is the member of the same
family of samplers that replaces all of its noise at each step (eq. 12 of arXiv 2010.02502 with σ_t² = 1 − ᾱ_{t−1}).

Everything is in double precision: rounding, which √ᾱ_T ≈ 0.07 magnifies, would else be all that is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from diffusers import DDIMScheduler

from methods.cameras import evaluation_ring
from methods.contracts import InversionStrategy, Rendering, View, ViewPrompt
from methods.diffusion.schedules.linear import Linear
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation.sdi import SDI
from methods.distillation.sds import SDS
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.loading import load_prior

STEPS = 10
GUIDANCE = 1.5  # the clipped prior is then at its bound in some channels only
GAUSSIAN = ("gaussian", "gaussian, clipped")
TOLERANCE = {"rtol": 0, "atol": 1e-5}


@dataclass
class Kappa:
    """A noise that the test sets."""

    noise: torch.Tensor


@dataclass(frozen=True)
class Carried(InversionStrategy):
    """The inversion strategy of a sampler: κ is the prediction of the step before, and x_T at the first."""

    kappa: Kappa

    def __call__(self, view, timesteps, *, prior, prompt, streams, state, until=None):
        return self.kappa.noise


@pytest.fixture(params=[*GAUSSIAN, "toybox"])
def case(request) -> SimpleNamespace:
    """A prior, and diffusers' sampler of it: scheduler, the network's own output, and its step's options."""
    if request.param == "toybox":
        prior = load_prior("toybox")
        prior._network.double()
        prior._dtype = torch.float64
        prior.bound = lambda latents, *, inverting: latents  # diffusers has no clipping by the codec
        texts, shape = ["a blue duck, front view"], (1, 16, 16, 16)
        config = {"prediction_type": "v_prediction"}
        network = lambda x, t, c: prior._network(x, t, c.sequence.double()).sample  # noqa: E731
    else:
        clipped = "clipped" in request.param
        prior = GaussianPrior(clip_target=1.0 if clipped else None)
        texts, shape = ["a red car", "a blue duck"], (2, 3, 16, 16)
        config = {"prediction_type": "epsilon", "clip_sample": clipped}
        network = prior.predict_noise
    scheduler = DDIMScheduler(
        **{"clip_sample": False} | config, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    scheduler.set_timesteps(STEPS)
    torch.testing.assert_close(scheduler.alphas_cumprod, prior.alphas_cumprod)
    prior.alphas_cumprod = scheduler.alphas_cumprod = prior.alphas_cumprod.double()
    prompt = ViewPrompt(*(prior.embed(words) for words in (texts, *[[""] * len(texts)] * 2)))
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return SimpleNamespace(prior=prior, scheduler=scheduler, network=network, prompt=prompt, noise=noise)


@torch.no_grad()
def diffusers_step(case, t, noisy, **options):
    """One step of diffusers' sampler with plain guidance on whatever the network predicts."""
    now = torch.full((len(noisy),), int(t))
    null = case.network(noisy, now, case.prompt.null)
    output = null + GUIDANCE * (case.network(noisy, now, case.prompt.positive) - null)
    return case.scheduler.step(output, t, noisy, use_clipped_model_output=True, **options)


def step(method, case, latents, *, size, progress=0.0, streams=None):
    """Gradient descent by ``method`` on latents, and the prediction that it follows."""
    latents = latents.detach().requires_grad_()
    blank = torch.ones(len(latents), 1, 1, 1)
    view = View(Rendering(None, blank, blank, latents=latents), evaluation_ring(len(latents)), case.prior)
    streams = streams or {name: torch.Generator() for name in ("timestep", "noise")}
    out = method(view, prior=case.prior, prompt=case.prompt, progress=progress, streams=streams, state={})
    (gradient,) = torch.autograd.grad(out.loss, latents)
    return (latents - size * len(latents) * gradient).detach(), out


def carried_on(case, carried, latents, target, t) -> torch.Tensor:
    """ε̂ at the x_t that ``latents`` and κ make, computed from the clean image it stands for."""
    alpha = case.prior.alphas_cumprod[t]
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * carried.kappa.noise
    return (noisy - alpha.sqrt() * target) / (1 - alpha).sqrt()


def start(case) -> tuple[torch.Tensor, Carried]:
    """Latents and κ that make x_T: any pair does, and these contain no image."""
    alpha = case.prior.alphas_cumprod[case.scheduler.timesteps[0]]
    return torch.zeros_like(case.noise), Carried(Kappa(case.noise / (1 - alpha).sqrt()))


def test_sdi_with_the_sampler_s_noise_is_ddim(case) -> None:
    """One SDI over a whole optimisation: its linear fall of t is the sampler's grid."""
    grid = case.scheduler.timesteps.tolist()
    latents, carried = start(case)
    method = SDI(gamma_fwd=GUIDANCE, inversion=carried, schedule=Linear(grid[-1] / 1000, grid[0] / 1000), tau=0.0)
    noisy = case.noise
    for index, t in enumerate(grid):
        alpha = case.prior.alphas_cumprod[t]
        torch.testing.assert_close(
            alpha.sqrt() * latents + (1 - alpha).sqrt() * carried.kappa.noise, noisy, **TOLERANCE
        )
        before = latents
        latents, out = step(method, case, latents, size=1.0, progress=index / (STEPS - 1))
        assert float(out.timesteps.float().mean()) == t
        carried.kappa.noise = carried_on(case, carried, before, out.target, t)
        theirs = diffusers_step(case, t, noisy)
        noisy = theirs.prev_sample
        torch.testing.assert_close(latents, theirs.pred_original_sample, **TOLERANCE)
        torch.testing.assert_close(out.target, theirs.pred_original_sample, **TOLERANCE)
    assert float(latents.std()) > 0.1


def test_sds_with_the_sampler_s_noise_is_ddim_too(case) -> None:
    """With a step of 1/√(ᾱ(1 − ᾱ)) for its weight and the same κ; nothing else of SDS is changed."""
    latents, carried = start(case)
    noisy = case.noise
    for t in case.scheduler.timesteps.tolist():
        alpha = case.prior.alphas_cumprod[t]
        torch.testing.assert_close(
            alpha.sqrt() * latents + (1 - alpha).sqrt() * carried.kappa.noise, noisy, **TOLERANCE
        )
        method = SDS(guidance_scale=GUIDANCE, schedule=Uniform(t / 1000, t / 1000), inversion=carried)
        before = latents
        latents, out = step(method, case, latents, size=(alpha * (1 - alpha)) ** -0.5)
        assert float(out.timesteps.float().mean()) == t
        carried.kappa.noise = carried_on(case, carried, before, out.target, t)
        theirs = diffusers_step(case, t, noisy)
        noisy = theirs.prev_sample
        torch.testing.assert_close(latents, theirs.pred_original_sample, **TOLERANCE)


@pytest.mark.parametrize("case", GAUSSIAN, indirect=True)
def test_sds_with_its_own_noise_is_the_sampler_that_keeps_none(case) -> None:
    """SDS as published, κ ~ N(0, I): diffusers' step whose η replaces all of x_{t−1}'s noise, √(1 − ᾱ_{t−1})."""
    grid, alphas = case.scheduler.timesteps.tolist(), case.prior.alphas_cumprod
    latents, stride = torch.zeros_like(case.noise), grid[0] - grid[1]
    streams = {name: torch.Generator().manual_seed(3) for name in ("timestep", "noise")}
    twin = torch.Generator().manual_seed(3)
    draw = lambda: torch.randn(case.noise.shape, generator=twin).double()  # noqa: E731
    noisy = (1 - alphas[grid[0]]).sqrt() * draw()
    for t in grid:
        method = SDS(guidance_scale=GUIDANCE, schedule=Uniform(t / 1000, t / 1000))
        latents, _ = step(method, case, latents, size=(alphas[t] * (1 - alphas[t])) ** -0.5, streams=streams)
        # slightly less than all: rounding would put a negative number under diffusers' root
        all_of_it = ((1 - alphas[max(t - stride, 0)]) / case.scheduler._get_variance(t, t - stride)).sqrt()
        theirs = diffusers_step(case, t, noisy, eta=float(all_of_it) * (1 - 1e-13), variance_noise=draw())
        noisy = theirs.prev_sample
        torch.testing.assert_close(latents, theirs.pred_original_sample, **TOLERANCE)


@pytest.mark.parametrize("case", GAUSSIAN, indirect=True)
def test_another_noise_leads_elsewhere(case) -> None:
    """The equality depends on κ: with the sampler's first κ kept for all steps it is not DDIM."""
    grid = case.scheduler.timesteps.tolist()
    latents, carried = start(case)
    method = SDI(gamma_fwd=GUIDANCE, inversion=carried, schedule=Linear(grid[-1] / 1000, grid[0] / 1000), tau=0.0)
    noisy = case.noise
    for index, t in enumerate(grid):
        latents, _ = step(method, case, latents, size=1.0, progress=index / (STEPS - 1))
        theirs = diffusers_step(case, t, noisy)
        noisy = theirs.prev_sample
    assert float((latents - theirs.pred_original_sample).abs().max()) > 0.05
