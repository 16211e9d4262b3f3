from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.scores.truth import read_truth, truth_folders
from bench.study.settings import EvaluationSettings
from prompts import Prompt, Truth

RING = EvaluationSettings(views=2, resolution=16)


def test_every_object_that_fits_is_rendered_once(tmp_path: Path) -> None:
    prompt = Prompt(id="duck", text="a blue duck", truth=Truth(kind="duck", colour="blue"))
    folders = truth_folders(prompt, RING, tmp_path)
    assert len(folders) == 4  # plain, striped, dotted, checked
    times = [folder.stat().st_mtime_ns for folder in folders]
    assert truth_folders(prompt, RING, tmp_path) == folders
    assert [folder.stat().st_mtime_ns for folder in folders] == times
    other = RING.model_copy(update={"elevation_deg": 30.0})
    assert not set(truth_folders(prompt, other, tmp_path)) & set(folders)


def test_snapshots_need_no_truth_of_their_own(tmp_path: Path) -> None:
    prompt = Prompt(id="duck", text="a blue duck", truth=Truth(kind="duck", colour="blue", pattern="plain"))
    asked = RING.model_copy(update={"snapshots": (0.5,)})
    assert truth_folders(prompt, RING, tmp_path) == truth_folders(prompt, asked, tmp_path)


def test_images_are_over_the_evaluation_background(tmp_path: Path) -> None:
    prompt = Prompt(id="duck", text="a blue duck", truth=Truth(kind="duck", colour="blue", pattern="plain"))
    grey = RING.model_copy(update={"background": 0.5})
    truth = read_truth(truth_folders(prompt, grey, tmp_path)[0])
    assert truth.name == "blue-duck"
    assert truth.rgb.shape == (2, 16, 16, 3)
    empty = truth.opacity == 0
    assert 0.2 < empty.mean() < 0.95
    assert np.abs(truth.rgb[empty].astype(int) - 127.5).max() <= 0.5


def test_a_prompt_without_truth_has_none(tmp_path: Path) -> None:
    assert truth_folders(Prompt(id="bust", text="a marble bust of a mouse"), RING, tmp_path) == []


def test_the_object_is_also_rendered_without_its_face(tmp_path: Path) -> None:
    prompt = Prompt(id="duck", text="a blue duck", truth=Truth(kind="duck", colour="blue", pattern="plain"))
    ring = EvaluationSettings(views=4, resolution=32)
    truth = read_truth(truth_folders(prompt, ring, tmp_path)[0])
    differs = (truth.faceless != truth.rgb).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(differs, [True, True, False, True])  # from behind it is the same


def test_truth_that_lacks_images_is_rendered_again_to_the_same_bits(tmp_path: Path) -> None:
    prompt = Prompt(id="duck", text="a blue duck", truth=Truth(kind="duck", colour="blue", pattern="plain"))
    [folder] = truth_folders(prompt, RING, tmp_path)
    before = read_truth(folder)
    for path in folder.glob("faceless_*.png"):
        path.unlink()
    after = read_truth(truth_folders(prompt, RING, tmp_path)[0])
    np.testing.assert_array_equal(before.rgb, after.rgb)
    np.testing.assert_array_equal(before.faceless, after.faceless)
