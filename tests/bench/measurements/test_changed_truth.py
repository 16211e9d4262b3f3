from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.measurements.changed_truth import CHANGES, COLUMNS, Options, main


@pytest.mark.e2e
def test_what_the_columns_see_of_a_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The findings of the published table, on two prompts; and the file has what is printed."""
    main(Options(prompts=2, out=tmp_path / "changes.csv"))
    found = pd.read_csv(tmp_path / "changes.csv", index_col="change")
    assert list(found.index) == list(CHANGES)
    assert set(found) == set(COLUMNS)
    assert f"{found.loc['mirrored', 'psnr']:.1f}" in capsys.readouterr().out
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
