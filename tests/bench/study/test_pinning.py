"""The prompts and the prior that a run folder keeps, and what counts as the same ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.errors import InputError
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.pinning import check_prior, loaded_prior, other_inputs, pin
from bench.study.study import Study, load_study, parse_study
from methods.priors import priors
from methods.priors.loading import cached_prior
from methods.weights import WeightsMissingError

WEIGHTS = priors["toybox"].folder()


@pytest.fixture
def listed(study_file: Path, tmp_path: Path) -> Study:
    """A study with a list and a prior's folder of its own."""
    shutil.copytree(WEIGHTS, tmp_path / "sdA")
    (tmp_path / "mine.txt").write_text("a blue duck\na red car\n")
    path = tmp_path / "own.toml"
    path.write_text(
        study_file.read_text().replace('"toybox"\nprompt_ids', '"mine.txt"\n#').replace('"gaussian"', '"sdA"')
    )
    return load_study(path)


@pytest.fixture
def bare(listed: Study, tmp_path: Path) -> Study:
    """The pinned study, from a run folder, on a machine that has neither the list nor the prior."""
    store = RunStore(tmp_path / "run")
    store.open(listed)
    shutil.rmtree(tmp_path / "sdA")
    (tmp_path / "mine.txt").unlink()
    cached_prior.cache_clear()
    return store.read_study()


def test_a_pinned_study_has_the_same_cells_without_its_list_and_weights(
    listed: Study, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before = expand(listed)
    bare = request.getfixturevalue("bare")
    assert expand(bare) == before
    assert bare.key == listed.key
    assert [prompt.text for prompt in bare.prompt_set().prompts] == ["a blue duck", "a red car"]
    assert pin(bare) is bare


def test_a_prior_under_any_name_makes_one_run_and_the_same_cells(listed: Study, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    text = path.read_text()
    shutil.copytree(tmp_path / "sdA", tmp_path / "copies" / "sdB")
    store = RunStore(tmp_path / "run")
    store.open(listed)
    for name in ("./sdA", "sdA/", "copies/../sdA", str(tmp_path / "sdA"), "copies/sdB"):
        path.write_text(text.replace('"sdA"', f'"{name}"'))
        named = load_study(path)
        assert named.key == listed.key
        assert expand(named) == expand(store.check(named))
        assert [cell.identity for cell in expand(named)] == [cell.identity for cell in expand(listed)]


def test_a_narrowed_study_stays_pinned(bare: Study, tmp_path: Path) -> None:
    narrowed = bare.narrow(prompt_ids=["a-red-car"], methods=["sdi"])
    assert narrowed.pinned == bare.pinned
    assert [cell.prompt for cell in expand(narrowed)] == ["a red car"]
    assert RunStore(tmp_path / "narrowed").open(narrowed).pinned == bare.pinned


@pytest.mark.parametrize("name", ["toybox", "gaussian", "mixture"])
def test_pinning_changes_no_cell(study: Study, name: str) -> None:
    one = study.model_copy(update={"prior": study.prior.model_copy(update={"name": name})})
    assert [cell.identity for cell in expand(pin(one))] == [cell.identity for cell in expand(one)]


def test_the_prior_is_needed_to_run_and_must_be_the_same(bare: Study, tmp_path: Path) -> None:
    for need in (check_prior, loaded_prior):
        with pytest.raises(WeightsMissingError, match=r"sdA: there is no such folder"):
            need(bare)
    shutil.copytree(WEIGHTS, tmp_path / "sdA")
    check_prior(bare)
    assert loaded_prior(bare).weights_sha256 == bare.pinned.prior.weights_sha256
    other = bare.pinned.prior.model_copy(update={"weights_sha256": "f" * 64})
    changed = bare.model_copy(update={"pinned": bare.pinned.model_copy(update={"prior": other})})
    for need in (check_prior, loaded_prior):
        with pytest.raises(InputError, match=r"its weights have SHA-256 .* and the run was started with ffffffffffff"):
            need(changed)


def test_inputs_are_compared_by_content(listed: Study, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "sdA", copy / "sdB")
    shutil.copyfile(tmp_path / "mine.txt", copy / "list.txt")
    text = (tmp_path / "own.toml").read_text().replace("sdA", "sdB").replace("mine.txt", "list.txt")
    (copy / "own.toml").write_text(text)
    same = load_study(copy / "own.toml")
    assert same.key == listed.key
    for first, second in ((listed, same), (pin(listed), same), (listed, pin(same)), (pin(listed), pin(same))):
        assert other_inputs(first, second) == []
    pinned = pin(listed)
    (tmp_path / "mine.txt").write_text("a blue duck\na red car\na green mug\n")
    assert other_inputs(pinned, listed) == [
        f"prompts ({tmp_path}/mine.txt has changed, first in none and 'a green mug')"
    ]
    (copy / "list.txt").write_text("a blue duck\na red bus\n")
    [words] = other_inputs(pinned, same)
    assert words.endswith("list.txt differ, first in 'a red car' and 'a red bus')")
    gaussian = pin(listed.model_copy(update={"prior": listed.prior.model_copy(update={"name": "gaussian"})}))
    [words] = [words for words in other_inputs(pinned, gaussian) if "weights" in words]
    assert "sdA with SHA-256" in words
    assert "gaussian with SHA-256 none" in words


def test_a_run_folder_takes_the_same_inputs_under_other_names_and_no_others(listed: Study, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "run")
    opened = store.open(listed)
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("sdA", "mine.txt", "own.toml"):
        (tmp_path / name).rename(moved / name)
    same = load_study(moved / "own.toml")
    assert store.check(same) == same.model_copy(update={"pinned": opened.pinned})
    (moved / "mine.txt").write_text("a blue duck\n")
    with pytest.raises(InputError, match=r"holds own with other prompts \(.*first in 'a red car' and none\).*--out"):
        store.check(same)


def test_a_study_file_cannot_be_pinned(study_file: Path) -> None:
    study_file.write_text("pinned = 1\n" + study_file.read_text())
    with pytest.raises(InputError, match="unknown key 'pinned'"):
        load_study(study_file)


@pytest.mark.parametrize("prompt_set", [{}, {"prompts": []}, {"prompts": [{"id": "../x", "text": "x"}]}, {"name": 3}])
def test_a_malformed_set_in_a_run_folder_is_one_line(study: Study, prompt_set: dict) -> None:
    fields = json.loads(pin(study).model_dump_json())
    whole = fields["pinned"]["prompt_set"]
    fields["pinned"]["prompt_set"] = {**whole, **prompt_set} if prompt_set else {}
    with pytest.raises(InputError, match=r"the study tiny: pinned.prompt_set.*: ") as caught:
        parse_study(fields, where="").chosen_prompts()
    assert "\n" not in str(caught.value)
