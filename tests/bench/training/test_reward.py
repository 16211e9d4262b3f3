"""The toybox reward model's preferences, its start from a CLIP, and a step of its training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.training.claims import claims_of, facts_of, fit
from bench.training.clip import build as build_clip
from bench.training.clip import write_folder as write_clip_folder
from bench.training.dataset import ToyImages
from bench.training.loop import initialise
from bench.training.reward import (
    Batch,
    blip_vision_weights,
    draw_batch,
    loss_of,
    normalisation,
    normalised,
    rewards_of,
    write_folder,
)
from bench.training.wear import DAMAGE
from metrics.models.reward import RewardConfig, RewardNetwork, RewardTokenizer
from prompts.toybox.captions import WORDS


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> tuple[RewardConfig, Path]:
    folder = tmp_path_factory.mktemp("reward")
    return write_folder(folder), folder


def _network(config: RewardConfig) -> RewardNetwork:
    network = RewardNetwork(config).eval()
    initialise(network, torch.Generator().manual_seed(0), layers=3)
    return network


def test_blip_sees_what_the_clip_saw(config: tuple[RewardConfig, Path], tmp_path: Path, images: ToyImages) -> None:
    write_clip_folder(tmp_path)
    clip = build_clip(tmp_path, 3)[0].eval()
    network = _network(config[0])
    network.vision.load_state_dict(blip_vision_weights(clip.state_dict()))
    pixels = normalised(images.over(np.arange(2), torch.ones(2)))
    with torch.no_grad():
        projected = network.encode_image(pixels)[:, 0] @ clip.visual.proj
        torch.testing.assert_close(projected, clip.encode_image(pixels), rtol=1e-4, atol=1e-5)


def test_vocabulary_has_every_word_of_the_grammar(config: tuple[RewardConfig, Path]) -> None:
    tokenize = RewardTokenizer(config[1], 35)
    ids, _ = tokenize([" ".join(words) for words in np.array_split(WORDS, 3)])
    unknown = (config[1] / "vocab.txt").read_text().splitlines().index("[UNK]")
    assert (ids != unknown).all()
    assert sum(value.numel() for value in _network(config[0]).parameters()) < 2.5e6


def test_batch_holds_preferences_that_are_true(images: ToyImages) -> None:
    rows = np.arange(len(images))
    batch = draw_batch(images, rows, count=24, seed=0, step=2)
    index = np.random.default_rng([0, 2]).choice(rows, 24, replace=False)
    facts = facts_of(images.toy[index], images.view[index], torch.zeros(24, len(DAMAGE)))
    assert fit(claims_of(batch.right), facts).right.diagonal().all()
    assert not fit(claims_of(batch.wrong), facts).right.diagonal().any()
    assert ((batch.better - batch.worse).abs().amax(dim=(1, 2, 3)) > 0.02).all()
    again = draw_batch(images, rows, count=24, seed=0, step=2)
    assert torch.equal(batch.worse, again.worse)
    assert batch.wrong == again.wrong


def test_loss_is_the_preference_loss_of_image_reward(config: tuple[RewardConfig, Path], images: ToyImages) -> None:
    """−log σ(better − worse), computed pair by pair in numpy."""
    network, tokenize = _network(config[0]), RewardTokenizer(config[1], 35)
    batch = draw_batch(images, np.arange(len(images)), count=8, seed=0, step=0)
    with torch.no_grad():
        better, worse = (network.encode_image(normalised(rgb)) for rgb in (batch.better, batch.worse))
        best, wrong, damaged, both, stranger = (
            rewards_of(network, tokenize, states, texts).double().numpy()
            for states, texts in (
                (better, batch.right),
                (better, batch.wrong),
                (worse, batch.right),
                (worse, batch.wrong),
                (better.roll(-1, 0), batch.right),
            )
        )
        found = loss_of(network, tokenize, batch).item()

    def preference(gap: np.ndarray, holds: np.ndarray) -> float:
        return float(np.log1p(np.exp(-gap[holds])).mean()) if holds.any() else 0.0

    everyone = np.ones(8, dtype=bool)
    expected = np.mean([
        preference(best - damaged, everyone),
        preference(best - wrong, everyone),
        preference(damaged - both, batch.visible.numpy()),
        preference(best - stranger, batch.stranger.numpy()),
    ])  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_few_steps_lower_the_loss_of_a_batch(config: tuple[RewardConfig, Path], images: ToyImages) -> None:
    network, tokenize = _network(config[0]), RewardTokenizer(config[1], 35)
    batch: Batch = draw_batch(images, np.arange(len(images)), count=6, seed=0, step=0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(6):
        loss = loss_of(network, tokenize, batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.02


def test_normalisation_is_mean_and_deviation_of_raw_rewards(
    config: tuple[RewardConfig, Path], images: ToyImages
) -> None:
    network, tokenize = _network(config[0]), RewardTokenizer(config[1], 35)
    batches = [draw_batch(images, np.arange(len(images)), count=4, seed=0, step=step) for step in range(2)]
    mean, std = normalisation(network, tokenize, batches)
    raw = _raw(network, tokenize, batches)
    assert mean == pytest.approx(np.mean(raw), abs=1e-4)
    assert std == pytest.approx(np.std(raw, ddof=1), rel=1e-3)


@torch.no_grad()
def _raw(network: RewardNetwork, tokenize: RewardTokenizer, batches: list[Batch]) -> list[float]:
    return [
        rewards_of(network, tokenize, network.encode_image(normalised(rgb[row : row + 1])), [text]).item()
        for batch in batches
        for rgb in (batch.better, batch.worse)
        for texts in (batch.right, batch.wrong)
        for row, text in enumerate(texts)
    ]
