"""Properties of every method: registered, documented, deterministic, and a loss whose gradient is the update."""

from __future__ import annotations

import dataclasses
import inspect

import pytest
import torch

from methods.contracts import Perpendicular
from methods.distillation import methods, update_loss


@pytest.mark.parametrize("name", methods.names())
def test_every_field_is_documented_and_has_a_default(name: str) -> None:
    method = methods[name]
    # a preset that is a subclass describes its changes; the rest is described in its base
    source = "".join(inspect.getsource(parent) for parent in method.__mro__ if dataclasses.is_dataclass(parent))
    assert method.__doc__
    assert "arXiv" in method.__doc__
    for field in dataclasses.fields(method):
        assert field.default is not dataclasses.MISSING
        declaration = source.index(f"    {field.name}:")
        assert '"""' in source[declaration:].split("\n    def ")[0]


@pytest.mark.parametrize("name", methods.names())
def test_same_streams_give_the_same_update_and_others_do_not(name, prior, prompt, rgb, make_view, make_streams) -> None:
    def gradient(seed: int) -> torch.Tensor:
        view = make_view(prior, rgb)
        state = methods[name]().start(prior)
        out = methods[name]()(view, prior=prior, prompt=prompt, progress=0.4, streams=make_streams(seed), state=state)
        return torch.autograd.grad(out.loss, view.latents)[0]

    assert torch.equal(gradient(1), gradient(1))
    assert not torch.equal(gradient(1), gradient(2))


@pytest.mark.parametrize("name", methods.names())
def test_views_of_a_batch_get_their_own_prompts(name, prior, prompt, make_view, make_streams) -> None:
    """On a prior that treats pixels alike, each view is drawn towards its own prompt's colour."""
    rgb = torch.full((2, 3, 16, 16), 0.5, requires_grad=True)
    total = torch.zeros(2, 3)
    for seed in range(30):
        view = make_view(prior, rgb)
        method = methods[name]().calibrated(prior)
        neutral = prompt._replace(negative=prompt.null)
        state = method.start(prior)
        out = method(view, prior=prior, prompt=neutral, progress=0.5, streams=make_streams(seed), state=state)
        total -= torch.autograd.grad(out.loss, view.latents)[0].mean(dim=(2, 3))
    for row in range(2):
        colour = prompt.positive.sequence[row, 0]
        assert torch.equal(total[row].sign(), colour.sign())


@pytest.mark.parametrize("name", methods.names())
def test_calibration_takes_the_scale_from_the_prior(name, prior) -> None:
    calibrated = methods[name]().calibrated(prior)
    scale = getattr(calibrated, "guidance_scale", getattr(calibrated, "gamma_fwd", None))
    unguided = name.startswith("csd") or name == "bsd"  # CSD is all classifier; BSD balances the two parts itself
    expected = 1000.0 if name == "lods" else prior.guidance_scale  # all classifier as well, and 1/1000 of the noise
    assert scale == (None if unguided else expected)
    assert calibrated.negative_prompt in ("", prior.negative_prompt, f"{{prompt}}, {prior.negative_prompt}")
    assert ("{prompt}" in calibrated.negative_prompt) == ("{prompt}" in methods[name]().negative_prompt)


def test_calibration_keeps_a_negative_prompt_that_has_the_prompt(prior) -> None:
    kept = methods["nfsd"](negative_prompt="a bad {prompt}").calibrated(prior)
    assert kept.negative_prompt == "a bad {prompt}"
    assert kept.negative_text("red car") == "a bad red car"
    assert methods["nfsd"](negative_prompt="ugly").calibrated(prior).negative_prompt == prior.negative_prompt


@pytest.mark.parametrize("name", methods.names())
def test_no_method_ignores_perp_neg(name, prior, prompt, rgb, make_view, make_streams) -> None:
    """Weights of zero change nothing, others do."""

    def gradient(weight: float) -> torch.Tensor:
        others = (prior.embed(["a green tree", "x"]), prior.embed(["a pink house", "y"]))
        asked = prompt._replace(perpendicular=Perpendicular(others, torch.full((2, 2), weight)))
        view, method = make_view(prior, rgb), methods[name]()
        state = method.start(prior)
        out = method(view, prior=prior, prompt=asked, progress=0.4, streams=make_streams(), state=state)
        return torch.autograd.grad(out.loss, view.latents)[0]

    view, method = make_view(prior, rgb), methods[name]()
    state, streams = method.start(prior), make_streams()
    plain = method(view, prior=prior, prompt=prompt, progress=0.4, streams=streams, state=state)
    if "-" not in name:  # presets of released code change their convention with Perp-Neg
        torch.testing.assert_close(gradient(0.0), torch.autograd.grad(plain.loss, view.latents)[0])
    assert not torch.allclose(gradient(-1.0), gradient(0.0), rtol=1e-2)


def test_an_update_of_another_shape_is_refused() -> None:
    latents = torch.zeros(2, 3, 4, 4, requires_grad=True)
    with pytest.raises(
        ValueError, match=r"update: has the shape \(2, 1, 4, 4\), must be that of the latents, \(2, 3, 4, 4\)"
    ):
        update_loss(latents, torch.ones(2, 1, 4, 4))


def test_update_loss_has_the_update_as_its_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(3, 4, 5, 5, generator=generator, requires_grad=True)
    update = torch.randn(3, 4, 5, 5, generator=generator)
    (gradient,) = torch.autograd.grad(update_loss(latents, update), latents)
    torch.testing.assert_close(gradient, update / 3)
