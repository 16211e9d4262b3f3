"""The metrics that imports name are checked before anything is read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli import main


@pytest.mark.parametrize("command", ["import", "rank"])
def test_a_misspelt_metric_is_refused_before_anything_is_imported(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    (tmp_path / "mine" / "blue-duck").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "mine" / "blue-duck" / "0.png")
    arguments = [command, str(tmp_path / "mine"), "--prompts", "toybox", "--scorers", "toybox"]
    assert main([*arguments, "--metrics", "clip_scor", "--out", str(tmp_path / "run")]) == 2
    name = {"import": "mine", "rank": "run"}[command]
    line = f"sdibench: {name}: metrics: unknown metric 'clip_scor': did you mean clip_score, pick_score?\n"
    assert capsys.readouterr().err == line
    assert not (tmp_path / "run").exists()
