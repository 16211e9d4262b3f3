"""Every key of a study file is listed as the study takes it."""

from __future__ import annotations

import pytest

from bench.commands.study_keys import keys_of, study_keys
from bench.study.study import Study, load_study, parse_study


def test_every_key_of_a_whole_study_has_words() -> None:
    """Keys of tables, too; arms and parts have their own settings."""
    known = dict(study_keys())
    assert all(words.endswith(".") for words in known.values())
    fields = load_study("table1").model_dump(mode="json", exclude={"name", "pinned"}, exclude_none=True)
    for key, value in fields.items():
        inner = value if isinstance(value, dict) and key not in {"methods", "scene", "more_baselines"} else {}
        assert {key, *(f"{key}.{name}" for name in inner)} <= known.keys()
    for claim in load_study("rivals").model_dump(mode="json", exclude_none=True)["paper_claims"]:
        assert {f"paper_claims.{name}" for name in claim} <= known.keys()


def test_defaults_are_those_of_a_study_without_the_key() -> None:
    known = dict(study_keys())
    least = {"name": "least", "title": "T", "metrics": ["clip_score"], "baseline": "sds", "prompts": "toybox"}
    study = parse_study(least | {"steps": 1, "methods": {"sds": {}}}, where="least")
    assert isinstance(study, Study)
    assert known["evaluation.views"].endswith(f"Default: {study.evaluation.views}.")
    assert known["cameras.distance"].endswith(f"Default: {list(study.cameras.distance)}.")
    assert known["prior.name"].endswith(f'Default: "{study.prior.name}".')
    assert known["steps"].endswith("Required.")
    required = {key for key, words in known.items() if words.endswith("Required.") and "." not in key}
    assert required == {"title", "metrics", "baseline", "prompts", "steps", "methods"}


@pytest.mark.parametrize(("name", "count"), [("optimiser", 3), ("steps", 1)])
def test_a_table_has_its_keys(name: str, count: int) -> None:
    assert len(keys_of(name) or []) == count
    assert keys_of("step") is None
