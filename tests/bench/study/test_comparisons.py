"""The comparisons of a study: which arms they name, and what becomes of them where arms change."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import InputError
from bench.study.comparisons import comparisons_among
from bench.study.study import Study, load_study, parse_study

ARMS = {name: {} for name in ("sds", "sdi", "ism")} | {"ism-32": {"method": "ism", "settings": {"steps": 32}}}
KNOWN = "not a method of the study, which has sds, sdi, ism, ism-32$"


def with_baselines(study: Study, more: object) -> Study:
    fields = study.model_dump(mode="json") | {"methods": ARMS, "baseline": "sds"}
    return parse_study(fields | {"more_baselines": more}, where="it")


def test_further_baselines_are_no_part_of_the_cells(study: Study) -> None:
    assert with_baselines(study, {"ism": ["ism-32"]}).key == with_baselines(study, {}).key


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ism": ["vsd"]}, f"more_baselines.ism: 'vsd': {KNOWN}"),
        ({"vsd": ["ism"]}, f"more_baselines.vsd: {KNOWN}"),
        ({"ism": ["ism"]}, "more_baselines.ism: 'ism' is compared with itself$"),
        ({"ism": ["sds"]}, "more_baselines.ism: 'sds' is the baseline already$"),
        ({"ism": ["ism-32"], "sdi": ["ism-32"]}, "more_baselines.sdi: 'ism-32' is compared with ism already$"),
        ({"ism": "ism-32"}, "more_baselines.ism = 'ism-32': must be a list"),
        (3, "more_baselines = 3: must be a table"),
    ],
)
def test_a_wrong_baseline_is_named(study: Study, wrong: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_baselines(study, wrong)


def test_a_study_of_some_arms_has_the_baselines_among_them(study: Study) -> None:
    whole = with_baselines(study, {"ism": ["ism-32", "sdi"]})
    assert whole.narrow(methods=["sds", "ism-32", "ism"]).more_baselines == {"ism": ("ism-32",)}
    assert whole.narrow(methods=["ism-32", "ism"]).more_baselines == {}  # without the baseline the first is it
    assert whole.narrow(methods=["sds", "sdi"]).more_baselines == {}
    assert whole.narrow(seeds=[7]).more_baselines == whole.more_baselines
    assert whole.of_arm("ism-32").more_baselines == {}


def test_a_study_with_other_arms_inherits_the_baselines_among_its_own(tmp_path: Path) -> None:
    arms = "[methods]\nsds = {}\nsdi = {}\nism = {}\n"
    whole = 'extends = "toybox_short"\nmore_baselines = { ism = ["sdi", "nfsd"] }\n'
    (tmp_path / "whole.toml").write_text(f"{whole}{arms}nfsd = {{}}\n")
    (tmp_path / "some.toml").write_text(f'extends = "whole.toml"\n{arms}')
    (tmp_path / "two.toml").write_text('extends = "whole.toml"\n[methods]\nsds = {}\nsdi = {}\n')
    assert load_study(tmp_path / "some.toml").more_baselines == {"ism": ("sdi",)}
    assert load_study(tmp_path / "two.toml").more_baselines == {}


def test_what_is_no_comparison_is_left_for_the_study_to_refuse() -> None:
    nothing = {"paper_claims": "claims", "more_baselines": 3}
    assert comparisons_among(nothing, ["sds"]) == nothing
    claim = {"paper": "SDI", "text": "finer detail", "arm": "sdi", "against": "sds", "metric": "detail"}
    fields = {"paper_claims": [3, {"arm": 4}, claim], "more_baselines": {"sds": 4, "sdi": ["sds"]}, "steps": 3}
    assert comparisons_among(fields, ["sds"]) == {"paper_claims": [3, {"arm": 4}], "more_baselines": {"sds": 4}}
