"""Imported arms in a study."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import InputError
from bench.study.arms import arms_of
from bench.study.expand import expand
from bench.study.imported_arms import all_cells, imported_arms, imported_cells
from bench.study.pinned import PinnedRenders
from bench.study.pinning import pin
from bench.study.study import Study, load_study

MINE = '[methods.mine]\nrenders = { name = "frames", folder = "mine", cameras = "evaluation" }\nknown = { steps = 5 }\n'


@pytest.fixture
def joined(study_file: Path) -> Study:
    """The tiny study with an imported arm."""
    study_file.write_text(study_file.read_text() + MINE)
    return load_study(study_file)


def _with_renders(study: Study, *renders: PinnedRenders) -> Study:
    pinned = pin(study).pinned
    assert pinned is not None
    return study.model_copy(update={"pinned": pinned.model_copy(update={"imports": {"mine": renders}})})


def _renders(prompt_id: str, sha256: str = "ab", **known: int) -> PinnedRenders:
    return PinnedRenders(prompt_id=prompt_id, seed=0, sha256=sha256, has_evaluation_cameras=True, known=known)


def test_the_key_of_a_study_does_not_depend_on_what_is_imported(study_file: Path) -> None:
    plain = load_study(study_file)
    study_file.write_text(study_file.read_text() + '[methods.mine]\nrenders = { name = "frames", folder = "mine" }\n')
    joined = load_study(study_file)
    assert joined.key == plain.key
    assert joined.methods["mine"]["renders"] == {"name": "frames", "folder": str(study_file.parent / "mine")}
    assert list(joined.narrow(methods=["sds", "sdi"]).methods) == ["sds", "sdi"]


def test_an_imported_arm_is_not_optimised(joined: Study) -> None:
    assert list(arms_of(joined)) == ["sds", "sdi"]
    assert list(imported_arms(joined)) == ["mine"]
    assert {cell.label for cell in expand(joined)} == {"sds", "sdi"}
    assert imported_cells(joined) == []  # nothing was looked at yet


def test_its_cells_are_the_renders_that_the_run_keeps(joined: Study) -> None:
    [cell] = imported_cells(_with_renders(joined, _renders("blue-duck", guidance=7), _renders("mug")))  # of no prompt
    assert (cell.label, cell.title, cell.method, cell.prompt) == ("mine", "mine (imported)", "imported", "a blue duck")
    assert cell.known == {"guidance": 7, "steps": 5}
    assert cell.evaluation == joined.evaluation
    assert len(all_cells(_with_renders(joined, _renders("blue-duck")))) == 5


def test_its_identity_is_that_of_the_files_and_how_they_are_read(joined: Study, study_file: Path) -> None:
    def identity(study: Study, renders: PinnedRenders) -> str:
        [cell] = imported_cells(_with_renders(study, renders))
        return cell.identity

    first = identity(joined, _renders("blue-duck"))
    assert identity(joined, _renders("blue-duck", steps=9)) == first  # what is only stated
    assert identity(joined, _renders("blue-duck", sha256="cd")) != first
    study_file.write_text(study_file.read_text().replace(', cameras = "evaluation"', ""))
    assert identity(load_study(study_file), _renders("blue-duck")) != first
    study_file.write_text(study_file.read_text().replace('folder = "mine"', 'folder = "moved"'))
    assert identity(load_study(study_file), _renders("blue-duck")) == identity(
        load_study(study_file), _renders("blue-duck", steps=1)
    )


def test_a_label_is_an_optimised_or_an_imported_arm(joined: Study) -> None:
    methods = {**joined.methods, "mine": {**joined.methods["mine"], "guidance_scale": 7.5}}
    with pytest.raises(InputError, match=r"methods\.mine: unknown key 'guidance_scale'"):
        imported_arms(joined.model_copy(update={"methods": methods}))
