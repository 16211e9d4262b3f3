"""Which captions are right of which images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.training.claims import QUALITY, claims_of, facts_of, fit, quality_states, write_captions, wrong_caption
from bench.training.wear import DAMAGE
from prompts.toybox import VIEWS, ToyObject, all_objects, is_held_out

STRIPED = ToyObject("car", "red", "striped")
PLAIN = ToyObject("duck", "blue", "plain")


def _number(toy: ToyObject) -> int:
    return all_objects().index(toy)


def _strengths(*values: dict[str, float]) -> torch.Tensor:
    return torch.tensor([[value.get(name, 0.0) for name in DAMAGE] for value in values])


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("a red striped car", (True, False)),
        ("a red car", (True, False)),  # says nothing of the pattern
        ("a car, front view", (True, False)),
        ("a car, back view", (False, False)),
        ("a photo of a duck, back view", (False, True)),
        ("a blue plain duck", (False, True)),
        ("a blue striped duck", (False, False)),
        ("a Good photo of a red car.", (True, False)),
        ("a blurry photo of a duck", (False, True)),
        ("a sharp photo of a duck", (False, False)),
        ("a noisy photo of a red car", (False, False)),
    ],
)
def test_caption_fits_what_it_does_not_contradict(text: str, fits: tuple[bool, bool]) -> None:
    facts = facts_of(np.array([_number(STRIPED), _number(PLAIN)]), np.array([0, 2]), _strengths({}, {"blur": 0.9}))
    assert tuple(fit(claims_of([text]), facts).right[0].tolist()) == fits


def test_between_two_quality_words_neither_is_clear() -> None:
    facts = facts_of(np.array([_number(PLAIN)] * 2), np.array([0, 0]), _strengths({"blur": 0.4}, {"noise": 0.4}))
    sharp, bad, other = fit(
        claims_of(["a sharp photo of a duck", "a bad photo of a duck", "a sharp photo of a car"]), facts
    ).unclear
    assert sharp.tolist() == [True, False]
    assert bad.tolist() == [True, True]
    assert other.tolist() == [False, False]  # wrong already, whatever its sharpness


def test_nothing_fits_an_empty_image() -> None:
    facts = facts_of(np.array([_number(PLAIN)]), np.array([0]), _strengths({}), np.array([True]))
    assert not fit(claims_of(["a duck", "a blue duck, front view"]), facts).right.any()


def test_written_captions_are_right_of_their_images() -> None:
    rng = np.random.default_rng(0)
    toy, view = rng.integers(0, len(all_objects()), 300), rng.integers(0, len(VIEWS), 300)
    strengths = torch.from_numpy(rng.random((300, len(DAMAGE)))) * torch.from_numpy(rng.random((300, 1)) < 0.5)
    texts = write_captions(toy, view, strengths, rng, quality_share=0.7)
    assert fit(claims_of(texts), facts_of(toy, view, strengths)).right.diagonal().all()
    assert 60 < sum("view" in text for text in texts) < 180
    words = {word for text in texts for word in text.split()}
    assert {"good", "bad", "sharp", "blurry", "real", "abstract", "noisy", "dull"} <= words


def test_wrong_captions_are_wrong_in_one_attribute_and_never_name_what_is_held_out() -> None:
    fields = set()
    full = [f"{toy.colour} {toy.pattern} {toy.kind}" for toy in all_objects()]
    named = {tuple(claims[:3].tolist()): toy for claims, toy in zip(claims_of(full), all_objects(), strict=True)}
    for number, toy in enumerate(all_objects()):
        view = VIEWS[number % 3] if number % 2 else None
        right, wrong = wrong_caption(toy, view, [5, number])
        facts = facts_of(np.array([number]), np.array([number % 3]), _strengths({}))
        assert fit(claims_of([right, wrong]), facts).right[:, 0].tolist() == [True, False]
        a, b = claims_of([right, wrong])
        differing = torch.nonzero(a != b).flatten().tolist()
        assert len(differing) == 1
        fields.add(differing[0])
        if differing[0] != 3 and b[:3].min() >= 0:
            assert not is_held_out(named[tuple(b[:3].tolist())])
    assert fields == {0, 1, 2, 3}


def test_states_follow_strength() -> None:
    states = quality_states(_strengths({}, {"blur": 1.0}, {"warp": 0.4}))
    table = {word: states[:, column].tolist() for column, word in enumerate(QUALITY)}
    assert table["good"] == [1, 0, -1]
    assert table["bad"] == [0, 1, -1]
    assert table["sharp"] == [1, 0, 1]
    assert table["blurry"] == [0, 1, 0]
    assert table["real"] == [1, 1, -1]
    assert table["abstract"] == [0, 0, -1]
