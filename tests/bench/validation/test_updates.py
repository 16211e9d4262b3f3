"""The sizes of the updates by method and place."""

from __future__ import annotations

from bench.study.expand import expand
from bench.study.study import Study
from bench.validation.updates import PLACES, check_updates
from methods.contracts import Prior


def test_a_method_that_draws_its_own_timesteps_has_a_value_for_each_progress(study: Study, prior: Prior) -> None:
    arms = study.model_copy(update={"methods": {"sds": {}, "ism-code": {}}, "prompt_ids": study.prompt_ids[:1]})
    found = check_updates(expand(arms), prior)
    assert found.passed
    for method, where in (("sds", "t = "), ("ism-code", "progress ")):
        assert len([name for name in found.values if name.startswith(f"{method} at {where}")]) == len(PLACES)
