"""The studies of SDI's rivals: the same methods in each, at equal rows in one, under the rows of table 1 in another."""

from __future__ import annotations

import pytest

from bench.forecast import counted_steps
from bench.forecast.counted_steps import count_steps
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import load_study
from methods.distillation import methods

ROWS = 1440

#: Their rows depend on a draw, so that all of their steps are counted.
DRAWN = {"ism", "tsm"}


@pytest.fixture(scope="module")
def equal_rows() -> dict[str, Cell]:
    """The first cell of each arm."""
    return {cell.label: cell for cell in reversed(expand(load_study("rivals_rows")))}


def test_all_three_studies_have_the_same_methods() -> None:
    names = list(load_study("rivals").methods)
    presets = {name for name in methods.names() if name.endswith(("-code", "-threestudio"))}
    assert set(names) == set(methods.names()) - presets
    assert sorted(load_study("rivals_rows").methods) == sorted(load_study("rivals_sd21").methods) == sorted(names)


@pytest.mark.parametrize("label", load_study("rivals").methods)
def test_each_arm_evaluates_the_same_number_of_rows(
    label: str, equal_rows: dict[str, Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = equal_rows[label]
    monkeypatch.setattr(counted_steps, "_STEPS", cell.steps if label in DRAWN else 32)
    requests = count_steps(cell, has_latents=False).rows.items()
    rows = sum(count for request, count in requests if request.network in ("unet", "adapted"))
    assert rows * cell.steps == pytest.approx(ROWS, rel=0.03)
    assert 60 <= cell.steps <= 800


def test_the_arms_of_equal_rows_differ_from_rivals_in_their_steps_alone(equal_rows: dict[str, Cell]) -> None:
    rivals = {cell.label: cell for cell in expand(load_study("rivals"))}
    for label, cell in equal_rows.items():
        other = rivals[label].model_copy(update={"prompt_id": cell.prompt_id, "prompt": cell.prompt, "seed": cell.seed})
        assert cell.model_copy(update={"steps": other.steps}).identity == other.identity


#: The row of table 1 under whose settings each method is run on Stable Diffusion.
ROW = {
    "sds": ("sds", "sjc", "nfsd", "csd", "asyncsd", "bridge", "cds", "rfds", "rfds-rev"),
    "vsd": ("vsd", "vsd-lookahead", "asd", "lods"),
    "esd": ("esd",),
    "hifa": ("hifa",),
    "sdi": ("sdi", "pfd", "cfd", "fsd", "dsd"),
    "ism": ("ism", "tsm", "bsd"),
}


def test_each_rival_has_a_row_of_table_1_on_stable_diffusion() -> None:
    table, rivals = load_study("table1"), load_study("rivals_sd21")
    assert sorted(name for names in ROW.values() for name in names) == sorted(rivals.methods)
    assert rivals.guidance == "published"
    for row, names in ROW.items():
        wanted = table.methods[row].get("settings", {})
        for name in names:
            more = {"update_clamp": [2, 8]} if name == "cds" else {}
            assert rivals.methods[name].get("settings", {}) == wanted | more
    for name in set(table.methods) & set(rivals.methods):
        assert table.methods[name] == rivals.methods[name]
