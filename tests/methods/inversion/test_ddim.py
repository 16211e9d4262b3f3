"""DDIM inversion against diffusers' scheduler, and against the sampler it inverts."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMInverseScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

import methods.inversion.ddim
from methods.cameras import evaluation_ring
from methods.contracts import ViewPrompt
from methods.diffusion.guidance import guided_prediction, levels
from methods.inversion.ddim import DDIMInversion, ddim_inversion
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.loading import load_prior
from prompts.toybox import ToyObject, render_object


@torch.no_grad()
def there_and_back(prior, prompt, image, path) -> float:
    """Relative error of inverting along timesteps ``(k,)`` and sampling back along the same."""
    path = path[:, None].expand(-1, len(image))
    noisy = ddim_inversion(prior, image, path, prompt, 1.0).noisy
    for now, then in zip(path.flip(0)[:-1], path.flip(0)[1:], strict=True):
        out = guided_prediction(prior, noisy, now, prompt, 1.0)
        alpha, sigma = levels(prior, then)
        noisy = alpha * out.target + sigma * out.noise
    return float((noisy - image).norm() / image.norm())


def even(steps: int, top: int) -> torch.Tensor:
    return torch.arange(steps + 1) * top // steps


def test_a_step_is_diffusers_inverse_step(prior, prompt) -> None:
    scheduler = DDIMInverseScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
    )
    scheduler.set_timesteps(10)
    theirs = ours = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for t in (100, 200, 300):
        # diffusers names a step by its end; it starts a tenth of the schedule earlier.
        noise = prior.predict_noise(theirs, torch.tensor([t - 100] * 2), prompt.positive)
        theirs = scheduler.step(noise, t, theirs).prev_sample
        path = torch.tensor([[t - 100], [t]]).expand(-1, 2)
        ours = ddim_inversion(prior, ours, path, prompt, 1.0).noisy
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("steps", [4, 32])
def test_error_of_inverting_and_sampling_back_is_the_closed_form_s(steps, exact) -> None:
    """A DDIM step from s to t multiplies x_s − √ᾱ_s m by (√ᾱ_s √ᾱ_t d² + √(1−ᾱ_s)√(1−ᾱ_t)) / (ᾱ_s d² + 1 − ᾱ_s)."""
    alphas, variance = exact.prior.alphas_cumprod, exact.prior.deviation**2

    def gain(s: int, t: int) -> float:
        a, b = float(alphas[s]), float(alphas[t])
        return (math.sqrt(a * b) * variance + math.sqrt((1 - a) * (1 - b))) / (a * variance + 1 - a)

    path = even(steps, 640)
    pairs = list(zip(path[:-1].tolist(), path[1:].tolist(), strict=True))
    product = math.prod(gain(s, t) * gain(t, s) for s, t in pairs)
    off = exact.image - float(alphas[0]) ** 0.5 * exact.prompt.positive.sequence.double()[:, 0, :, None, None]
    expected = abs(product - 1) * float(off.norm() / exact.image.norm())
    assert there_and_back(exact.prior, exact.prompt, exact.image, path) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("top", [320, 640])
def test_error_of_inverting_and_sampling_back_is_of_first_order(top, exact) -> None:
    """The slope of log error against log steps is −1.

    With e = c/n + d/n² + …, the slope between n and 2n misses −1 by a term that halves as n doubles, so twice the
    next slope less this one is free of it.  What is left is of the order of the miss squared, 0.12² ≈ 0.015.
    """
    counts = (40, 80, 160, 320)
    errors = [there_and_back(exact.prior, exact.prompt, exact.image, even(steps, top)) for steps in counts]
    slopes = [math.log2(fine / coarse) for coarse, fine in pairwise(errors)]
    misses = [slope + 1 for slope in slopes]
    assert 0.12 > misses[0] > misses[1] > misses[2] > 0
    assert 2 * slopes[1] - slopes[0] == pytest.approx(-1, abs=0.02)
    assert 2 * slopes[2] - slopes[1] == pytest.approx(-1, abs=0.02)


def test_error_of_inverting_and_sampling_back_falls_on_the_toybox_prior() -> None:
    """The trained network reconstructs a ground-truth image, more accurately with more steps."""
    prior = load_prior("toybox")
    rays = evaluation_ring(1).rays(128)
    image = render_object(ToyObject("duck", "blue", "plain"), rays.origins[0], rays.directions[0]).over(0.8)
    prompt = ViewPrompt(*(prior.embed([text]) for text in ("a blue duck, front view", "", "")))
    latents = prior.encode(image[None])
    errors = [there_and_back(prior, prompt, latents, even(steps, 480)) for steps in (2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 2


@settings(max_examples=25)
@given(steps=st.integers(1, 200), times=st.lists(st.integers(0, 999), min_size=2, max_size=2), seed=st.integers(0, 9))
def test_the_inversion_ends_at_the_same_time_for_any_number_of_steps(infer, steps, times, seed) -> None:
    """Each view's path runs from 0 to exactly its own t, never back, in int(steps · t) strides of even length.

    A view with fewer strides than another waits at its end.
    """
    prior, paths = GaussianPrior(clip_target=None), []
    prompt = ViewPrompt(prior.embed(["a", "b"]), prior.embed(["", ""]), prior.embed(["", ""]))

    def recorded(prior, latents, path, *given):
        paths.append(path)
        return ddim_inversion(prior, latents, path, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods.inversion.ddim, "ddim_inversion", recorded)
        infer(DDIMInversion(inversion_steps=steps),
            torch.zeros(2, 3, 2, 2), torch.tensor(times), prior=prior, prompt=prompt,
            streams={"noise": torch.Generator().manual_seed(seed)},
        )  # fmt: skip
    (path,) = paths
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == times
    counts = torch.tensor([max(1, steps * t // 1000) for t in times])
    assert len(path) - 1 == counts.max()
    assert prior.calls == (0 if max(times) == 0 else counts.max())
    assert prior.rows == 2 * sum(int(count) for count, t in zip(counts, times, strict=True) if t > 0)
    even_path = torch.arange(len(path)).double()[:, None].minimum(counts) / counts * torch.tensor(times)
    assert float((path - even_path).abs().max()) < 1 + 1e-9  # one timestep of rounding
    assert bool((path.diff(dim=0) >= 0).all())


def test_kappa_rebuilds_the_inverted_latents(infer, prior, prompt, make_streams) -> None:
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    timesteps = torch.tensor([500, 700])
    strategy = DDIMInversion(gamma_inv=1.0, inversion_steps=10, eta=0.0)
    kappa = infer(strategy, image, timesteps, prior=prior, prompt=prompt, streams=make_streams())
    path = torch.minimum(torch.arange(8)[:, None], torch.tensor([5, 7])) * timesteps // torch.tensor([5, 7])
    noisy = ddim_inversion(prior, image, path, prompt, 1.0).noisy
    alpha, sigma = levels(prior, timesteps)
    torch.testing.assert_close(alpha * image + sigma * kappa, noisy, rtol=1e-4, atol=1e-4)


def test_eta_is_the_deviation_of_the_added_noise(infer, prior, prompt, make_streams) -> None:
    image = torch.zeros(2, 3, 64, 64)
    call = {"prior": prior, "prompt": prompt, "streams": make_streams()}
    still = infer(DDIMInversion(gamma_inv=1.0, eta=0.0), image, torch.tensor([500, 500]), **call)
    moved = infer(DDIMInversion(gamma_inv=1.0, eta=0.3), image, torch.tensor([500, 500]), **call)
    assert float((moved - still).std()) == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize(("field", "value"), [("inversion_steps", 0), ("eta", -0.1)])
def test_bad_settings_are_named(field, value) -> None:
    with pytest.raises(ValueError, match=f"{field}: {value}"):
        DDIMInversion(**{field: value})


def test_each_view_of_a_batch_is_inverted_as_if_it_were_alone(infer, make_streams) -> None:
    """Each has int(steps · t) steps of its own t, and no network row is spent on a view that has arrived."""
    prior = GaussianPrior(clip_target=None)
    texts = (["a red car", "a blue duck", "a green robot"], [""] * 3, [""] * 3)
    prompt = ViewPrompt(*map(prior.embed, texts))
    image = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    timesteps, until = torch.tensor([300, 900, 50]), torch.tensor([330, 910, 80])
    strategy, streams = DDIMInversion(eta=0.0), make_streams()
    together = infer(strategy, image, timesteps, prior=prior, prompt=prompt, streams=streams, until=until)
    assert (prior.calls, prior.rows) == (9, 2 * (3 + 9 + 1))
    for view in range(3):
        one = slice(view, view + 1)
        given = {"prior": prior, "prompt": prompt.select(torch.tensor([view])), "streams": streams}
        alone = infer(strategy, image[one], timesteps[one], until=until[one], **given)
        torch.testing.assert_close(together[one], alone, rtol=1e-5, atol=1e-5)
