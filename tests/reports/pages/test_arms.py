"""The table of arms, on settings in the form of the harness."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

from reports.frames import ReportFrames
from reports.pages.arms import Arms

STRATEGY = {"name": "ddim", "inversion_steps": 10}


@pytest.fixture
def frames(make_frames, as_imported) -> ReportFrames:
    """Two arms of one method, another method, and an imported arm."""
    made = as_imported(
        make_frames(methods=("sds-4", "sds-30", "sdi", "theirs"), views=1, images=False), "theirs", ["mug"]
    )
    own = {
        "sds-4": {"guidance_scale": 4.0},
        "sds-30": {"guidance_scale": 30.0},
        "sdi": {"guidance_scale": 7.5, "inversion": STRATEGY},
    }

    def settings(cell) -> str:
        if cell.provenance == "imported":
            return cell.settings
        of_cell = {"label": cell.method, "prompt_id": cell.prompt_id, "prompt": cell.prompt, "seed": cell.seed}
        shared = {"steps": 50, "prior": {"name": "toybox"}, "cameras": {"elevation_deg": [-5.0, 40.0]}, "lookup": None}
        named = {"method": cell.method.split("-")[0], "hyper_parameters": own[cell.method]}
        return json.dumps(of_cell | shared | named)

    cells = made.cells.assign(settings=[settings(cell) for cell in made.cells.itertuples()])
    return dataclasses.replace(made, cells=cells)


def test_each_arm_has_its_method_and_the_settings_that_differ(frames: ReportFrames) -> None:
    rows = {row.label: tuple(entry.text for entry in row.entries) for row in Arms.of(frames).table.rows}
    assert rows == {
        "sds-4": ("sds", "guidance_scale = 4"),
        "sds-30": ("sds", "guidance_scale = 30"),
        "sdi": ("sdi", "guidance_scale = 7.5; inversion = ddim; inversion.inversion_steps = 10"),
        "theirs": ("imported", ""),
    }


def test_of_another_scene_the_name_is_listed_and_not_all_of_its_settings(frames: ReportFrames) -> None:
    scenes = {
        "sds-4": {"name": "nerf", "background": 1.0, "encoding": {"name": "hash_grid", "levels": 16}},
        "sds-30": {"name": "nerf", "background": 0.5, "encoding": {"name": "dense_grid"}},
        "sdi": {"name": "gaussians", "count": 2000},
    }
    cells = frames.cells[frames.cells["provenance"] != "imported"]
    texts = [json.dumps({"scene": scenes[cell.method]} | json.loads(cell.settings)) for cell in cells.itertuples()]
    arms = Arms.of(dataclasses.replace(frames, cells=cells.assign(settings=texts)))
    rows = {row.label: row.entries[1].text for row in arms.table.rows}
    assert rows == {
        "sds-4": "guidance_scale = 4; scene = nerf; scene.background = 1; scene.encoding = hash_grid",
        "sds-30": "guidance_scale = 30; scene = nerf; scene.background = 0.5; scene.encoding = dense_grid",
        "sdi": "guidance_scale = 7.5; inversion = ddim; inversion.inversion_steps = 10; scene = gaussians",
    }
    assert not [path for path, _ in arms.shared if path.startswith("scene")]


def test_what_an_arm_leaves_out_is_a_difference_unless_its_scene_is_another(frames: ReportFrames) -> None:
    priors = {"sds-4": {"name": "sd21"}, "sds-30": {"name": "sd21", "resolution": 256}, "sdi": {"name": "sdxl"}}
    cells = frames.cells[frames.cells["provenance"] != "imported"]
    texts = [json.dumps(json.loads(cell.settings) | {"prior": priors[cell.method]}) for cell in cells.itertuples()]
    arms = Arms.of(dataclasses.replace(frames, cells=cells.assign(settings=texts)))
    rows = {row.label: row.entries[1].text for row in arms.table.rows}
    assert rows["sds-4"].endswith("prior = sd21")
    assert rows["sds-30"].endswith("prior = sd21; prior.resolution = 256")
    scenes = {"sds-4": {"name": "nerf"}, "sds-30": {"name": "nerf", "lit": True}, "sdi": {"name": "image", "side": 8}}
    texts = [json.dumps(json.loads(cell.settings) | {"scene": scenes[cell.method]}) for cell in cells.itertuples()]
    arms = Arms.of(dataclasses.replace(frames, cells=cells.assign(settings=texts)))
    rows = {row.label: row.entries[1].text.partition("scene")[2] for row in arms.table.rows}
    assert rows == {"sds-4": " = nerf", "sds-30": " = nerf; scene.lit = true", "sdi": " = image"}


def test_what_all_share_is_listed_once_without_what_is_of_one_cell(frames: ReportFrames) -> None:
    assert Arms.of(frames).shared == (
        ("steps", "50"),
        ("prior", "toybox"),
        ("cameras.elevation_deg", "[-5, 40]"),
        ("lookup", "null"),
    )


def test_the_caption_says_what_is_not_known(frames: ReportFrames) -> None:
    assert Arms.of(frames).table.caption[1:] == ("Of imported arms they are not known.",)
    measured = dataclasses.replace(frames, cells=frames.cells[frames.cells["provenance"] != "imported"])
    assert len(Arms.of(measured).table.caption) == 1
    one = dataclasses.replace(frames, cells=frames.cells[frames.cells["method"] == "sds-4"])
    assert Arms.of(one).table.caption == ()
    imported = dataclasses.replace(frames, cells=frames.cells[frames.cells["provenance"] == "imported"])
    two = dataclasses.replace(frames, cells=frames.cells[frames.cells["method"].isin(["sds-4", "theirs"])])
    for fewer in (imported, two):
        assert Arms.of(fewer).table.caption == ("Hyper-parameters and settings of imported arms are not known.",)
    twins = frames.cells[frames.cells["method"] == "sds-4"]
    same = pd.concat([twins, twins.assign(method="again", cell=twins["cell"] + "-again")])
    assert Arms.of(dataclasses.replace(frames, cells=same)).table.caption == (
        "The arms have the same hyper-parameters and settings.",
    )


def test_cells_of_an_arm_with_several_settings_show_all(frames: ReportFrames) -> None:
    texts = frames.cells["settings"].tolist()
    texts[0] = texts[0].replace('"steps": 50', '"steps": 60')
    assert (
        "steps = 60 or 50"
        in Arms.of(dataclasses.replace(frames, cells=frames.cells.assign(settings=texts))).table.rows[0].entries[1].text
    )


def _with_hashes(frames: ReportFrames, hash_of) -> ReportFrames:
    """Add a setting to each measured cell: what ``hash_of`` makes of it, as 64 hexadecimal digits."""
    cells = frames.cells[frames.cells["provenance"] != "imported"]
    texts = [
        json.dumps(json.loads(cell.settings) | {"start": {"sha256": f"{hash_of(cell):x}".ljust(64, "0")}})
        for cell in cells.itertuples()
    ]
    return dataclasses.replace(frames, cells=cells.assign(settings=texts))


def test_hashes_are_cut(frames: ReportFrames) -> None:
    arms = Arms.of(_with_hashes(frames, lambda cell: 0xABC))
    assert ("start.sha256", "abc000000000") in arms.shared


def test_values_of_each_prompt_are_not_listed_but_compared(make_frames) -> None:
    prompts = {f"p{index}": f"object {index}" for index in range(4)}
    made = make_frames(methods=("sds", "sdi"), prompts=prompts, seeds=(0, 1), views=1, images=False)
    made = dataclasses.replace(made, cells=made.cells.assign(settings="{}"))

    def of_prompt(cell) -> int:
        return 1 + int(cell.prompt_id[1:])

    arms = Arms.of(_with_hashes(made, of_prompt))
    assert arms.shared == (("start.sha256", "one for each prompt"),)
    others = Arms.of(_with_hashes(made, lambda cell: of_prompt(cell) + 8 * (cell.method == "sdi")))
    texts = ["start.sha256 = one for each prompt"] * 2
    assert ([row.entries[1].text for row in others.table.rows], others.shared) == (texts, ())
    of_cells = Arms.of(_with_hashes(made, lambda cell: of_prompt(cell) + 8 * cell.seed))
    assert of_cells.shared == (("start.sha256", "8 values"),)


def test_settings_that_cannot_be_read_are_left_out(frames: ReportFrames) -> None:
    arms = Arms.of(dataclasses.replace(frames, cells=frames.cells.assign(settings="no JSON")))
    assert (arms.shared, arms.table.rows[0].entries[1].text) == ((), "")
