"""Perp-Neg: hand-computed weights, views by azimuth, and guidance against its definition in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from methods.cameras import Cameras
from methods.conditioning import Conditioning
from methods.contracts import Perpendicular, ViewPrompt
from methods.diffusion.guidance import guided_prediction, perpendicular_part
from methods.diffusion.perp_neg import PerpNeg
from methods.priors.closed_form.gaussian import GaussianPrior

TIMES = torch.tensor([300, 700])

#: −(a·e^(−b·r) + c) of "front view" and "side view", computed by hand from the four curves' constants.
BY_HAND = {
    0.0: (-0.000123, -1.574),
    45.0: (-0.689203, -0.689203),
    90.0: (-1.573531, -0.000531),
    135.0: (-1.745801, -0.172801),
    180.0: (-1.967, -0.394),
}

#: Shares of front, side, back and overhead view.
SHARES = {
    0.0: (1, 0, 0, 0),
    45.0: (0.5, 0.5, 0, 0),
    90.0: (0, 1, 0, 0),
    135.0: (0, 0.5, 0.5, 0),
    180.0: (0, 0, 1, 0),
}


class WordsPrior(GaussianPrior):
    """Records the texts, and embeds each as the one of front, side, back and overhead view that it names."""

    def embed(self, texts):
        self.texts = list(texts)
        return Conditioning(torch.eye(4)[["fsbo".index(text.split(", ")[1][0]) for text in texts]][:, None])


def cameras(*azimuths: float, elevation: float = 15.0) -> Cameras:
    azimuth = torch.tensor(azimuths)
    one = torch.ones_like(azimuth)
    none = torch.zeros(len(azimuths), 3)
    return Cameras(azimuth, elevation * one, 3 * one, 40 * one, none, none, none + torch.tensor([0.0, 0.0, 1.0]))


@pytest.fixture
def noisy() -> torch.Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def negatives(prior: GaussianPrior) -> Perpendicular:
    embeddings = (prior.embed(["a green tree", "a white cup"]), prior.embed(["a pink house", "x"]))
    return Perpendicular(embeddings, torch.tensor([[-1.5, -0.25], [-0.5, -2.0]]))


@pytest.mark.parametrize("azimuth", BY_HAND)
def test_weights_and_shares_are_those_computed_by_hand(azimuth) -> None:
    both = cameras(azimuth, -azimuth, azimuth - 360)
    weights, shares = PerpNeg().weights(both), PerpNeg().shares(both)
    torch.testing.assert_close(weights, torch.tensor([BY_HAND[azimuth]]).expand(3, -1), atol=2e-6, rtol=0)
    torch.testing.assert_close(shares, torch.tensor([SHARES[azimuth]], dtype=torch.float32).expand(3, -1))


def test_weights_and_shares_do_not_jump() -> None:
    around = cameras(*np.arange(-180.0, 180.01, 0.5).tolist())
    # steepest is 4·0.5 per unit of r, and half a degree is 1/180 of it; the curves of two sectors meet within 1e-3
    assert float(PerpNeg().weights(around).diff(dim=0).abs().max()) < 2 / 180 + 1e-3
    assert float(PerpNeg().shares(around).diff(dim=0).abs().max()) < 1 / 180 + 1e-5
    torch.testing.assert_close(PerpNeg().shares(around).sum(-1), torch.ones(len(around)))


def test_conditioning_is_made_of_the_prompts_views() -> None:
    prior = WordsPrior()
    positive, perpendicular = PerpNeg()(prior, "a duck", cameras(0.0, 45.0, -135.0))
    assert set(prior.texts) == {f"a duck, {view} view" for view in ("front", "side", "back", "overhead")}
    expected = torch.tensor([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0.5, 0.5, 0]])[:, None]
    torch.testing.assert_close(positive.sequence, expected)
    for negatives, words in zip(perpendicular.conditioning, torch.eye(4)[:2], strict=True):
        assert torch.equal(negatives.sequence, words.expand(3, 1, 4))
    assert perpendicular.weights.shape == (3, 2)


def test_overhead_has_its_own_view_and_no_negatives() -> None:
    positive, perpendicular = PerpNeg()(WordsPrior(), "a duck", cameras(0.0, 120.0, elevation=61.0))
    torch.testing.assert_close(positive.sequence, torch.eye(4)[3].expand(2, 1, 4))
    assert torch.equal(perpendicular.weights, torch.zeros(2, 2))
    assert float(PerpNeg().weights(cameras(0.0, elevation=60.0)).abs().max()) > 1


@pytest.mark.parametrize("scale", [7.5, -7.5, 1.0, 0.0])
def test_guidance_is_its_definition(scale, prior, prompt, noisy, negatives) -> None:
    out = guided_prediction(prior, noisy, TIMES, prompt._replace(perpendicular=negatives), scale)
    assert (prior.calls, prior.rows) == (1, 2 if scale == 0.0 else 8)
    for sample in range(2):  # one at a time, in float64, with the scalar projection of a textbook

        def noise(conditioning: Conditioning, sample: int = sample) -> np.ndarray:
            one = slice(sample, sample + 1)
            return prior.predict_noise(noisy[one], TIMES[one], conditioning[one]).double().numpy().ravel()

        base = noise(prompt.null)
        e = noise(prompt.positive) - base
        total = e.copy()
        for i in range(2):
            e_i = noise(negatives.conditioning[i]) - base
            total += float(negatives.weights[sample, i]) * (e_i - np.dot(e_i, e) / np.dot(e, e) * e)
        np.testing.assert_allclose(out.noise[sample].numpy().ravel(), base + scale * total, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [7.5, -7.5, 1.0])
@pytest.mark.parametrize("case", ["no negatives", "weights of zero", "None"])
def test_without_negatives_it_is_plain_guidance(case, scale, prior, prompt, noisy, negatives) -> None:
    perpendicular = {
        "no negatives": Perpendicular((), negatives.weights[:, :0]),
        "weights of zero": Perpendicular(negatives.conditioning, torch.zeros(2, 2)),
        "None": None,
    }[case]
    out = guided_prediction(prior, noisy, TIMES, prompt._replace(perpendicular=perpendicular), scale)
    null = prior.predict_noise(noisy, TIMES, prompt.null)
    positive = prior.predict_noise(noisy, TIMES, prompt.positive)
    expected = positive if case == "None" and scale == 1.0 else null + scale * (positive - null)
    assert torch.equal(out.noise, expected)
    if scale == 1.0:
        torch.testing.assert_close(out.noise, positive)


def test_a_sample_does_not_depend_on_the_others_in_its_batch(prior, prompt, noisy, negatives) -> None:
    prompt = prompt._replace(perpendicular=negatives)
    whole = guided_prediction(prior, noisy, TIMES, prompt, 7.5).noise
    for i in range(2):
        one = slice(i, i + 1)
        others = Perpendicular(tuple(each[one] for each in negatives.conditioning), negatives.weights[one])
        mine = ViewPrompt(*(text[one] for text in prompt[:3]), None, others)
        alone = guided_prediction(prior, noisy[one], TIMES[one], mine, 7.5).noise
        torch.testing.assert_close(whole[one], alone, rtol=1e-5, atol=1e-5)


def test_perpendicular_part_is_perpendicular_and_leaves_the_rest() -> None:
    generator = torch.Generator().manual_seed(4)
    vectors, axes = (torch.randn(5, 4, 8, 8, generator=generator) for _ in range(2))
    part = perpendicular_part(vectors, axes)
    for one, axis, vector in zip(part, axes, vectors, strict=True):
        assert abs(float((one * axis).sum())) < 1e-4 * float(one.norm() * axis.norm())
        along = (vector - one).flatten()  # the removed part lies along the axis
        assert abs(float(along @ axis.flatten())) == pytest.approx(float(along.norm() * axis.norm()), rel=1e-4)
    torch.testing.assert_close(perpendicular_part(3 * axes, axes), torch.zeros_like(axes), atol=1e-5, rtol=0)
    torch.testing.assert_close(perpendicular_part(vectors, 5 * axes), part)
    assert torch.equal(perpendicular_part(vectors, torch.zeros_like(axes)), vectors)
    assert math.isfinite(float(perpendicular_part(vectors, 1e-30 * axes).abs().max()))
