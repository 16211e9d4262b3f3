from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli import main
from bench.study.printed import study_toml
from bench.study.study import Study, load_study, study_names


@pytest.mark.parametrize("name", study_names())
def test_every_shipped_study_printed_is_the_same_study(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.toml"
    path.write_text(study_toml(load_study(name)), encoding="utf-8")
    assert load_study(path) == load_study(name)


def test_texts_with_quotes_breaks_and_signs_survive(study: Study, tmp_path: Path) -> None:
    odd = study.model_copy(update={"title": 'a "b" \\ c\n猫 \x7f [x]'})
    path = tmp_path / "tiny.toml"
    path.write_text(study_toml(odd), encoding="utf-8")
    assert load_study(path) == odd


def test_the_command_prints_what_is_merged(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "table1-smoke", "--print-study"]) == 0
    printed = capsys.readouterr().out
    assert 'prior = { name = "sd21", posterior = "mode" }' in printed or "[prior]" in printed
    assert "steps = 50" in printed
    assert "radius = 2.0" in printed  # of the study that it extends
