"""The toybox CLIP's losses, its folder, and a step of its training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from open_clip.loss import ClipLoss
from safetensors.torch import save_file

from bench.training.claims import Fit
from bench.training.clip import Batch, build, contrast, draw_batch, loss_of, pair_targets, write_folder
from bench.training.clip_figures import antonym_accuracy, sheet, to_uint8
from bench.training.dataset import ToyImages
from bench.training.wear import DAMAGE
from methods.weights import write_card
from metrics.models.clip import ClipModel


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    write_folder(folder)
    return folder


def test_contrast_of_single_right_answers_is_clips_own_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    seen, said = (torch.nn.functional.normalize(torch.randn(6, 4, generator=generator), dim=1) for _ in range(2))
    one = torch.eye(6, dtype=torch.bool)
    ours = contrast(10 * said @ seen.T, Fit(one, torch.zeros_like(one)))
    torch.testing.assert_close(ours, ClipLoss()(seen, said, torch.tensor(10.0)))


def test_contrast_is_least_where_all_right_answers_share() -> None:
    """Two images fit the first caption: its loss is least with equal logits, not with one of them alone."""
    right = torch.tensor([[True, True, False], [False, False, True]])
    pairs = Fit(right, torch.zeros_like(right))
    shared = contrast(torch.tensor([[9.0, 9.0, 0.0], [0.0, 0.0, 9.0]]), pairs)
    single = contrast(torch.tensor([[18.0, 0.0, 0.0], [0.0, 0.0, 9.0]]), pairs)
    assert shared < single
    assert shared == pytest.approx(np.log(2) / 4, abs=1e-3)


def test_unclear_images_and_captions_without_any_do_not_count() -> None:
    right = torch.tensor([[True, False, False], [False, True, False], [False, False, False]])
    unclear = torch.tensor([[False, False, True], [False, False, False], [False, False, False]])
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    raised = logits.clone()
    raised[0, 2] += 50
    assert contrast(raised, Fit(right, unclear)) == contrast(logits, Fit(right, unclear))
    assert contrast(raised, Fit(right, torch.zeros_like(unclear))) > contrast(logits, Fit(right, unclear)) + 1
    assert torch.isfinite(contrast(logits, Fit(torch.zeros_like(right), unclear)).nan_to_num(0))


@pytest.mark.parametrize(("name", "falls"), [("blur", (0, 1)), ("noise", (0,)), ("dull", (0,)), ("warp", (0, 2))])
def test_pair_targets_fall_with_the_damage_they_are_about(name: str, falls: tuple[int, ...]) -> None:
    strengths = torch.zeros(4, len(DAMAGE))
    strengths[:, DAMAGE.index(name)] = torch.tensor([0.0, 0.25, 0.5, 1.0])
    targets = pair_targets(strengths)
    torch.testing.assert_close(targets[0], torch.full((3,), 0.95))
    for column in range(3):
        steps = targets[:, column].diff()
        assert (steps < 0).all() if column in falls else (steps == 0).all()
    assert targets.min() >= 0.05 - 1e-6


def test_folder_is_open_clips_and_small(folder: Path) -> None:
    network, tokenize = build(folder, 0)
    assert sum(value.numel() for value in network.parameters()) < 2.5e6
    assert json.loads((folder / "vocab.json").read_text())["<|endoftext|>"] == network.vocab_size - 1  # for argmax
    tokens = tokenize(["A noisy photo of a purple checked mushroom, front view."])
    assert tokens.shape == (1, network.context_length)
    assert tokens[0, -1] == network.vocab_size - 1  # nothing is cut
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    assert model.state_dict().keys() == network.state_dict().keys()


def test_initialisation_depends_on_the_seed_alone(folder: Path) -> None:
    first, second, other = (build(folder, seed)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["visual.proj"], other["visual.proj"])


def test_batch_is_a_function_of_its_step(images: ToyImages) -> None:
    seen = np.flatnonzero(~images.held_out)
    first, second, other = (draw_batch(images, seen, count=16, seed=0, step=step) for step in (4, 4, 5))
    assert torch.equal(first.rgb, second.rgb)
    assert first.texts == second.texts != other.texts
    assert first.fit.right.shape == (24, 16)  # a caption for each image, and wrong ones for half of them
    assert first.goodness.shape == (16, 3)


def test_a_few_steps_lower_the_loss_of_a_batch(folder: Path, images: ToyImages) -> None:
    network, tokenize = build(folder, 0)
    batch: Batch = draw_batch(images, np.arange(len(images)), count=8, seed=0, step=0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(6):
        loss = loss_of(network, tokenize, batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1
    assert all(value.grad is not None for value in network.parameters())


def test_figures_are_shares_and_sheet_is_a_image(folder: Path, images: ToyImages, tmp_path: Path) -> None:
    network, _ = build(folder, 0)
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    save_file(network.state_dict(), tmp_path / "open_clip_model.safetensors")
    write_card(tmp_path, title="untrained")
    rgb = images.over(np.arange(4), torch.ones(4))
    figures = antonym_accuracy(ClipModel(tmp_path), rgb, 0)
    assert set(figures) == {f"{name}_{what}" for name in ("quality", "sharpness", "real")
                            for what in ("prefers_clean", "right_side")}  # fmt: skip
    assert all(0 <= share <= 1 for share in figures.values())
    assert to_uint8(rgb).shape == (4, 64, 64, 3)
    assert min(sheet(rgb, ["a"] * 4, columns=2).size) > 100
