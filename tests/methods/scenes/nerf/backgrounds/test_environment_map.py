"""The learned background: its harmonics, and when it shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from methods.scenes.nerf.backgrounds.environment_map import EnvironmentMap, spherical_harmonics


def directions(*shape: int) -> torch.Tensor:
    drawn = torch.randn(*shape, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=-1)


def test_the_harmonics_are_scipy_s_up_to_sign() -> None:
    where = directions(100)
    x, y, z = where.numpy().T
    polar, azimuth = np.arccos(z), np.arctan2(y, x)
    expected = []
    for band in range(3):
        for order in range(-band, band + 1):
            value = sph_harm_y(band, abs(order), polar, azimuth)
            part = value.imag if order < 0 else value.real
            expected.append(part * (math.sqrt(2) if order else 1))
    found = spherical_harmonics(where).numpy().T
    for mine, scipys in zip(found, expected, strict=True):
        sign = np.sign(mine @ scipys)
        np.testing.assert_allclose(mine, sign * scipys, atol=1e-12)


def test_is_two_hidden_layers_of_16_without_biases_and_a_sigmoid() -> None:
    built = EnvironmentMap().build(torch.Generator().manual_seed(0))
    assert [tuple(parameter.shape) for parameter in built.parameters()] == [(16, 9), (16, 16), (3, 16)]
    where = directions(2, 4, 5).float()
    colours = built(where, torch.zeros(2, 3), None, training=True)
    features = spherical_harmonics(where)
    for weight in list(built.parameters())[:-1]:
        features = (features @ weight.T).relu()
    expected = 1 / (1 + (-(features @ list(built.parameters())[-1].T)).exp())
    torch.testing.assert_close(colours, expected.permute(0, 3, 1, 2))


@pytest.mark.parametrize(("at_evaluation", "training", "learned"), [
    ("learned", True, True), ("learned", False, True), ("given", True, True), ("given", False, False),
])  # fmt: skip
def test_when_it_shows(at_evaluation: str, training: bool, learned: bool) -> None:
    built = EnvironmentMap(at_evaluation=at_evaluation).build(torch.Generator().manual_seed(0))
    given = torch.tensor([[0.25, 0.5, 0.75]])
    colours = built(directions(1, 2, 2).float(), given, None, training=training)
    assert torch.equal(colours.expand(1, 3, 2, 2), given[:, :, None, None].expand(1, 3, 2, 2)) is not learned


@pytest.mark.parametrize(
    ("field", "value"), [("hidden", 0), ("learning_rate", 0.0), ("at_evaluation", "grey"), ("flat_share", 1.5)]
)
def test_refuses_bad_settings(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}: {value!r} is not"):
        EnvironmentMap(**{field: value}).build(torch.Generator())


def test_some_renders_of_the_optimisation_have_one_random_colour_for_each_view() -> None:
    where, given = directions(2, 4, 5).float(), torch.zeros(2, 3)
    built = EnvironmentMap(flat_share=0.3).build(torch.Generator().manual_seed(0))
    generator, learned = torch.Generator().manual_seed(1), built(where, given, None, training=True)
    flat = []
    for _ in range(400):
        colours = built(where, given, generator, training=True)
        if colours.shape != learned.shape:
            assert colours.shape == (2, 3, 1, 1)
            assert not colours.requires_grad
            flat.append(colours)
        else:
            assert torch.equal(colours, learned)
    assert len(flat) == pytest.approx(0.3 * 400, abs=30)
    assert torch.cat(flat).mean() == pytest.approx(0.5, abs=0.05)
    assert torch.cat(flat).std(0).min() > 0.2
    assert torch.equal(built(where, given, generator, training=False), learned)


def test_the_share_of_flat_renders_does_not_shift_later_draws() -> None:
    where, given, left = directions(1, 2, 2).float(), torch.zeros(1, 3), []
    for share in (0.2, 0.9):
        generator = torch.Generator().manual_seed(1)
        built = EnvironmentMap(flat_share=share).build(torch.Generator().manual_seed(0))
        for _ in range(20):
            built(where, given, generator, training=True)
        left.append(torch.rand(1, generator=generator))
    assert torch.equal(*left)
