from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from rich.console import Console

from bench.cells.streams import make_streams
from bench.commands.score import score_study
from bench.errors import InputError
from bench.records.record import Record
from bench.records.store import RunStore
from bench.scores import control_views as module
from bench.scores.control_views import PUBLISHED_SCALE, ControlViews, control_views
from bench.scores.frames import build_frames
from bench.study.expand import expand
from bench.study.pinning import pin
from bench.study.study import Study
from methods.contracts import Prior
from methods.diffusion.bounded import with_bound
from methods.diffusion.sampling import sample_images
from methods.registry import UnknownNameError
from reports.frames import CONTROLS

NAMES = ("blank", "noise", "other_prompt", "prior_2d")


@pytest.fixture
def controlled(study: Study) -> Study:
    return study.model_copy(update={"controls": NAMES})


@pytest.fixture
def records(study: Study, finished: RunStore) -> list[Record]:
    return finished.read_all(expand(study))


def images(controls: Sequence[ControlViews], name: str, prompt_id: str) -> np.ndarray:
    [found] = [each.views for each in controls if (each.name, each.views.prompt.id) == (name, prompt_id)]
    return np.stack([np.asarray(Image.open(path)) for path in found.rgb])


def test_each_control_is_scored_for_each_prompt(controlled: Study, finished: RunStore, console: Console) -> None:
    score_study(controlled, finished, console)
    frame = pd.read_parquet(finished.folder / "controls.parquet")
    assert list(frame) == list(CONTROLS)
    assert frame.groupby(["control", "prompt_id", "metric"]).size().to_dict() == {
        (control, prompt, metric): 3
        for control in NAMES
        for prompt in ("blue-duck", "red-striped-car")
        for metric in ("psnr", "ssim", "iou", "psnr_aligned", "ssim_aligned", "iou_aligned")
    }
    values = frame.set_index(["control", "metric"])["value"]
    assert values["prior_2d"].isna().all()  # no camera took them
    assert (values["blank", "iou"] == 0).all()
    assert values[["blank", "noise", "other_prompt"]].notna().all()
    assert values["noise", "psnr"].max() < values["blank", "psnr"].min()


def test_the_truth_scores_as_a_perfect_result_and_its_mean_as_a_flat_one(
    study: Study, finished: RunStore, console: Console
) -> None:
    score_study(study.model_copy(update={"controls": ("truth", "flat")}), finished, console)
    frame = pd.read_parquet(finished.folder / "controls.parquet")
    means = frame.groupby(["control", "prompt_id", "metric"])["value"].mean()
    for prompt in ("blue-duck", "red-striped-car"):
        assert means["truth", prompt, "iou"] == 1
        assert means["truth", prompt, "ssim"] == 1
        assert means["truth", prompt, "psnr"] == 100  # the largest that the metric gives
        assert 0 < means["flat", prompt, "iou"] < 1
        assert 10 < means["flat", prompt, "psnr"] < 30


def test_of_a_prompt_without_a_known_truth_there_is_none(
    study: Study, finished: RunStore, console: Console, records: list[Record]
) -> None:
    prompts = [prompt.model_copy(update={"truth": None}) for prompt in study.chosen_prompts()]
    asked = study.model_copy(update={"controls": ("truth", "flat")})
    assert control_views(asked, records, prompts, finished, console) == []
    assert "no truth for 2 of 2 prompts: it needs prompts whose truth is known" in console.file.getvalue()


def test_the_report_reads_them_with_paths_that_hold(
    controlled: Study, finished: RunStore, console: Console, tmp_path: Path
) -> None:
    score_study(controlled, finished, console)
    moved = RunStore(finished.folder.rename(tmp_path / "moved"))
    records = [record for cell in expand(controlled) if (record := moved.read(cell))]
    controls = build_frames(records, controlled.chosen_prompts(), moved).controls
    assert set(controls["control"]) == set(NAMES)
    assert all(Path(path).is_file() for path in controls["rgb_path"])


@pytest.mark.parametrize("name", ["controls", "snapshots"])
def test_a_table_that_is_gone_is_reported_and_scoring_makes_it_again(
    study: Study, finished: RunStore, console: Console, name: str
) -> None:
    path = finished.folder / f"{name}.parquet"
    before = pd.read_parquet(path)
    path.unlink()
    records = finished.read_all(expand(study))
    with pytest.raises(InputError, match=rf"{name}.parquet: is missing; score the run first"):
        build_frames(records, study.chosen_prompts(), finished)
    score_study(study, finished, console)
    pd.testing.assert_frame_equal(pd.read_parquet(path), before)
    assert getattr(build_frames(records, study.chosen_prompts(), finished), name).empty


def test_images_are_made_once_and_scored_once(
    controlled: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_study(controlled, finished, console)
    before = pd.read_parquet(finished.folder / "controls.parquet")
    monkeypatch.setattr(module, "_write", lambda *_: pytest.fail("made again"))
    score_study(controlled, finished, console)
    pd.testing.assert_frame_equal(pd.read_parquet(finished.folder / "controls.parquet"), before)


def test_an_interrupted_control_leaves_no_image(
    controlled: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_write", broken)
    with pytest.raises(KeyboardInterrupt):
        score_study(controlled, finished, console)
    assert list((finished.folder / "controls").rglob("*.png")) == []
    assert list((finished.folder / "controls" / "blank").iterdir()) == []


def test_other_prompt_shows_the_baseline_s_render_of_the_other(
    controlled: Study, finished: RunStore, records: list[Record], console: Console
) -> None:
    controls = control_views(controlled, records, controlled.chosen_prompts(), finished, console)
    [render] = [r for r in records if (r.cell.label, r.cell.prompt_id) == ("sds", "red-striped-car")]
    folder = finished.cell_folder(render.cell)
    expected = np.stack([np.asarray(Image.open(folder / view.rgb)) for view in render.views])
    np.testing.assert_array_equal(images(controls, "other_prompt", "blue-duck"), expected)
    assert (images(controls, "blank", "blue-duck") == 255).all()


def test_other_prompt_waits_for_renders(controlled: Study, finished: RunStore, records: list[Record]) -> None:
    out = io.StringIO()
    few = [record for record in records if record.cell.prompt_id == "blue-duck"]
    controls = control_views(controlled, few, controlled.chosen_prompts(), finished, Console(file=out, width=300))
    assert "no other_prompt for 2 of 2 prompts: it needs completed renders of the study's baseline" in out.getvalue()
    assert {control.name for control in controls} == {"blank", "noise", "prior_2d"}


@pytest.mark.parametrize("guidance", ["calibrated", "published"])
def test_prior_2d_has_the_prompts_and_the_guidance_of_a_method(
    controlled: Study, records: list[Record], finished: RunStore, console: Console, prior: Prior, guidance: str
) -> None:
    asked = controlled.model_copy(update={"guidance": guidance})
    controls = control_views(asked, records, asked.chosen_prompts(), finished, console)
    scale = {"calibrated": prior.guidance_scale, "published": PUBLISHED_SCALE}[guidance]
    texts = [f"a blue duck, {side} view" for side in ("front", "side", "side")]  # at 0, 120 and −120 degrees
    generator = make_streams(0, "blue-duck")["eval"]
    unclipped = with_bound(prior, asked.bound)
    expected = sample_images(unclipped, texts, generator=generator, scale=scale, steps=25).permute(0, 2, 3, 1)
    small = [Image.fromarray(each) for each in (255 * expected).round().to(torch.uint8).numpy()]
    resized = np.stack([np.asarray(each.resize((8, 8), Image.Resampling.BICUBIC)) for each in small])
    np.testing.assert_array_equal(images(controls, "prior_2d", "blue-duck"), resized)


@pytest.mark.parametrize("name", ["/none/such", "of-a-package-that-is-not-here", "toybox"])
def test_rows_of_the_prior_are_kept_or_left_out_without_it(
    controlled: Study, records: list[Record], finished: RunStore, name: str
) -> None:
    """The third case is a prior whose weights are not those of the run: no image of it may get into the row."""
    pinned = pin(controlled)
    first, second = pinned.chosen_prompts()
    control_views(pinned, records, [first], finished, Console(file=io.StringIO()))
    elsewhere = pinned.model_copy(update={"prior": pinned.prior.model_copy(update={"name": name})})
    out = io.StringIO()
    controls = control_views(elsewhere, records, [first, second], finished, Console(file=out, width=400))
    assert [each.views.prompt for each in controls if each.name == "prior_2d"] == [first]
    assert {each.name for each in controls} == set(NAMES)
    assert out.getvalue().startswith("tiny: no prior_2d for 1 of 2 prompts: ")
    assert out.getvalue().count("\n") == 1
    assert name in out.getvalue()


def test_a_control_has_a_view_for_each_camera_of_the_ring(study, finished, console) -> None:
    ring = study.evaluation.model_copy(update={"views": 24, "resolution": 4})
    large = study.model_copy(update={"evaluation": ring, "controls": ("noise",)})
    controls = control_views(large, [], large.chosen_prompts(), finished, console)
    assert [len(control.views.azimuth_deg) for control in controls] == [24] * len(large.chosen_prompts())
    assert controls[0].views.azimuth_deg[:3] == (0.0, 15.0, 30.0)


def test_the_folder_name_depends_on_everything_that_decides_the_images(
    controlled: Study, finished: RunStore, records: list[Record], console: Console
) -> None:
    def folders(study: Study, of: list[Record]) -> dict[str, Path]:
        controls = control_views(study, of, study.chosen_prompts(), finished, console)
        return {each.name: each.views.rgb[0].parent for each in controls if each.views.prompt.id == "blue-duck"}

    first = folders(controlled, records)
    grey = controlled.evaluation.model_copy(update={"background": 0.5})
    of_grey = folders(controlled.model_copy(update={"evaluation": grey}), records)
    assert {name for name in NAMES if of_grey[name] != first[name]} == set(NAMES) - {"other_prompt"}  # is not made
    published = folders(controlled.model_copy(update={"guidance": "published"}), records)
    assert {name for name in NAMES if published[name] != first[name]} == {"prior_2d"}
    other_baseline = folders(controlled.model_copy(update={"baseline": "sdi"}), records)
    assert {name for name in NAMES if other_baseline[name] != first[name]} == {"other_prompt"}


def test_controls_make_no_other_cells_and_misspelt_ones_are_refused(study: Study, controlled: Study) -> None:
    assert controlled.key == study.key
    with pytest.raises(UnknownNameError, match="unknown control 'blnk': did you mean blank"):
        expand(study.model_copy(update={"controls": ("blnk",)}))
