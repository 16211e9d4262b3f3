"""The named priors: which suite of scorers belongs to each, and what a cell's identity has of it."""

from __future__ import annotations

import pytest

from methods.priors import priors, suite_of
from methods.priors.loading import prior_sha256
from metrics.suites import suites


@pytest.mark.parametrize(
    ("name", "suite"),
    [
        ("toybox", "toybox"),
        ("toybox-flow", "toybox"),
        ("toybox-latent", "toybox"),
        ("sd21", "sd21"),
        ("sdxl", "sd21"),
        ("sd35", "sd21"),
        ("a", "a"),
    ],
)
def test_the_suite_of_a_prior(name, suite) -> None:
    assert suite_of(name) == suite
    assert suite in suites or suite == "a"


def test_priors_without_weights_are_told_apart_by_their_word() -> None:
    made = [name for name in priors.names() if priors[name].make is not None]
    assert len(made) == 3
    assert len({prior_sha256(name) for name in made}) == 3
    assert prior_sha256("gaussian") == "none"  # as cells of earlier records have it
