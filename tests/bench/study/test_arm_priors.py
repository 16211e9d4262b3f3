"""An arm may have a prior of its own: its cells, what a run folder keeps of it, and the network that is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.cells.run_cell import run_cell
from bench.commands.merge import united
from bench.commands.prompt_reading import describe_reading
from bench.engines.work import do_cell
from bench.errors import InputError
from bench.records.read_record import read_events
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.pinning import check_prior, other_inputs, pin
from bench.study.study import Study, load_study, parse_study
from methods.priors.closed_form.flow import GaussianFlow
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.loading import prior_sha256

#: The cells of the first arm are the study's, the others' under another prior.
ARMS: dict[str, Any] = {
    "own": {"method": "sds"},
    "flow": {"method": "sds", "settings": {"prior": "gaussian-flow"}},
    "toys": {"method": "sds", "settings": {"prior": {"name": "toybox"}}},
}


@pytest.fixture
def mixed(study: Study) -> Study:
    fields = study.model_dump(mode="json") | {"methods": ARMS, "baseline": "own", "prompt_ids": ["blue-duck"]}
    return parse_study(fields, where="mixed")


def test_a_cell_has_the_prior_of_its_arm(mixed: Study) -> None:
    cells = {cell.label: cell for cell in expand(mixed)}
    assert {label: cell.prior.name for label, cell in cells.items()} == {
        "own": "gaussian", "flow": "gaussian-flow", "toys": "toybox",
    }  # fmt: skip
    assert cells["toys"].prior_sha256 == prior_sha256("toybox") != cells["own"].prior_sha256
    assert cells["toys"].hyper_parameters["guidance_scale"] == 4.0  # of the card of its own prior
    assert cells["own"].hyper_parameters["guidance_scale"] == GaussianPrior.guidance_scale
    alone = mixed.model_dump(mode="json") | {"prior": "toybox", "methods": {"toys": {"method": "sds"}}}
    (same,) = expand(parse_study(alone | {"baseline": "toys"}, where="alone"))
    assert same.identity == cells["toys"].identity


def test_a_run_folder_keeps_the_card_of_each_prior(mixed: Study, tmp_path: Path) -> None:
    opened = RunStore(tmp_path / "run").open(mixed)
    assert opened.pinned is not None
    assert opened.pinned.arm_priors.keys() == {"flow", "toys"}
    assert opened.pinned.arm_priors["toys"].weights_sha256 == prior_sha256("toybox")
    kept = RunStore(tmp_path / "run").read_study()
    assert [cell.identity for cell in expand(kept)] == [cell.identity for cell in expand(mixed)]
    check_prior(kept)
    assert expand(kept.narrow(methods=["toys"])) == [cell for cell in expand(mixed) if cell.label == "toys"]


def test_a_study_without_such_arms_is_kept_as_before(study: Study) -> None:
    assert "arm_priors" not in json.loads(pin(study).model_dump_json())["pinned"]


def test_other_weights_of_an_arm_s_prior_are_named(mixed: Study) -> None:
    changed = _with_other_weights(mixed)
    with pytest.raises(InputError, match=r"prior = 'toybox': its weights .* was started with ffffffffffff"):
        check_prior(changed)
    (line,) = other_inputs(pin(mixed), changed)
    assert line.startswith("weights of the prior (toybox with SHA-256")


def _with_other_weights(study: Study) -> Study:
    pinned = pin(study).pinned
    assert pinned is not None
    other = pinned.arm_priors["toys"].model_copy(update={"weights_sha256": "f" * 64})
    return study.model_copy(
        update={"pinned": pinned.model_copy(update={"arm_priors": {**pinned.arm_priors, "toys": other}})}
    )


def test_merged_studies_keep_the_priors_of_all_arms(mixed: Study) -> None:
    parts = [pin(mixed.narrow(methods=["own", "flow"])), pin(mixed.narrow(methods=["toys"]))]
    whole = united(parts)
    assert whole.pinned is not None
    assert whole.pinned.arm_priors == pin(mixed).pinned.arm_priors  # type: ignore[union-attr]


def test_each_cell_asks_its_own_prior(mixed: Study, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "run")
    study = store.open(mixed.narrow(methods=["own", "flow"]))
    for cell, prior in zip(expand(study), (GaussianPrior(), GaussianFlow()), strict=True):
        assert do_cell(cell, study, store)
        losses = [event.loss for event in read_events(store.cell_folder(cell))]
        assert losses == [event.loss for event in run_cell(cell, prior).events]


def test_the_path_of_an_arm_s_prior_is_relative_to_the_study(study_file: Path) -> None:
    study_file.write_text(study_file.read_text() + '[methods.mine]\nmethod = "sds"\nsettings.prior = "./model"\n')
    own = load_study(study_file).with_own_priors()
    assert {label: arm.prior.name for label, arm in own.items()} == {"mine": str(study_file.parent / "model")}


def test_prompts_are_read_by_each_prior_that_has_a_tokenizer(mixed: Study, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a xylophone made of quartz\n")
    fields = mixed.model_dump(mode="json") | {"prompts": str(tmp_path / "words.txt"), "prompt_ids": None}
    lines = list(describe_reading(parse_study(fields, where="words")))
    assert len(lines) >= 1
    assert all("prior toybox" in line for line in lines)
