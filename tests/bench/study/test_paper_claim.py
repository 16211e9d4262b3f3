"""The papers' claims of a study: which arms they name, and what becomes of them where arms change."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import InputError
from bench.study.study import Study, load_study, parse_study

CLAIM = {"paper": "SDI", "text": "finer detail", "arm": "sdi", "against": "sds", "metric": "detail"}


def with_claims(study: Study, *claims: dict[str, str]) -> Study:
    fields = study.model_dump(mode="json") | {"methods": {"sds": {}, "sdi": {}, "ism": {}}, "baseline": "sds"}
    return parse_study(fields | {"paper_claims": claims}, where="the study")


def test_claims_are_no_part_of_the_cells(study: Study) -> None:
    assert with_claims(study, CLAIM).key == with_claims(study).key


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"arm": "pfd"}, r"paper_claims.0.arm = 'pfd': not a method of the study, which has sds, sdi, ism$"),
        ({"against": "vsd"}, r"paper_claims.0.against = 'vsd': not a method of the study, which has sds, sdi, ism$"),
        ({"against": "sdi"}, r"paper_claims.0.against = 'sdi': must be another arm than the claim's own$"),
        ({"expects": "worse"}, r"paper_claims.0.expects = 'worse': input should be 'better' or 'level'$"),
        ({"metrics": "psnr"}, r"unknown key 'paper_claims.0.metrics': did you mean metric\?$"),
        ({"text": ""}, r"paper_claims.0.text = '': string should have at least 1 character$"),
    ],
)
def test_a_wrong_claim_is_named(study: Study, wrong: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_claims(study, CLAIM | wrong)


def test_a_study_of_some_arms_has_the_claims_about_them(study: Study) -> None:
    whole = with_claims(study, CLAIM, CLAIM | {"against": "ism"})
    assert [claim.against for claim in whole.narrow(methods=["sdi", "sds"]).paper_claims] == ["sds"]
    assert whole.narrow(methods=["ism"]).paper_claims == ()
    assert whole.narrow(seeds=[7]).paper_claims == whole.paper_claims
    assert whole.of_arm("sdi").paper_claims == ()


def test_a_study_with_other_arms_inherits_the_claims_about_its_own(tmp_path: Path) -> None:
    def extend(text: str) -> Study:
        (tmp_path / "mine.toml").write_text(f'extends = "rivals"\nbaseline = "sdi"\n{text}')
        return load_study(tmp_path / "mine.toml")

    rivals = load_study("rivals")
    assert extend("seeds = [3]").paper_claims == rivals.paper_claims
    some = extend("[methods]\nsdi = {}\npfd = {}").paper_claims
    assert some == tuple(claim for claim in rivals.paper_claims if {claim.arm, claim.against} == {"sdi", "pfd"}) != ()
    assert extend("paper_claims = []\n[methods]\nsdi = {}\npfd = {}").paper_claims == ()
    own = 'paper_claims = [{ paper = "A", text = "b", arm = "vsd", against = "sdi", metric = "psnr" }]\n'
    with pytest.raises(InputError, match=r"paper_claims.0.arm = 'vsd': not a method of the study"):
        extend(f"{own}[methods]\nsdi = {{}}\npfd = {{}}")


def test_each_study_of_rivals_has_the_papers_claims() -> None:
    claims = load_study("rivals").paper_claims
    assert claims
    assert load_study("rivals_rows").paper_claims == load_study("rivals_sd21").paper_claims == claims
