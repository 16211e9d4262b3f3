from __future__ import annotations

from pathlib import Path

import pytest

from bench.measurements.changed_truth import CHANGES, COLUMNS, means, measure
from prompts import load_prompt_set


def test_what_the_columns_see_of_a_change(tmp_path: Path) -> None:
    """The findings of the README's table, on two prompts."""
    frame = measure(load_prompt_set("toybox").prompts[:2], tmp_path)
    assert len(frame) == 2 * len(CHANGES)
    found = means(frame)
    assert set(found) == set(COLUMNS)
    whole = found.loc["none"]
    for column in ("detail", "right_detail", "saturation", "psnr", "psnr_aligned", "iou"):
        assert whole[column] == pytest.approx(100)
    assert found.loc["blurred, σ = 2 pixels", "detail"] < 5
    assert found.loc["moved by 4 pixels", "detail"] == pytest.approx(100, abs=15)  # it is all there
    assert found.loc["moved by 4 pixels", "right_detail"] < 20  # and not at its place
    assert found.loc["turned by 15°", "psnr_aligned"] == pytest.approx(100)
    assert found.loc["another hue", "clip_score"] < whole["clip_score"] - 20
    flat = found.loc["its mean from all sides"]
    assert flat["psnr"] > found.loc["moved by 4 pixels", "psnr"]
