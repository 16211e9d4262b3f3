from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.errors import InputError
from bench.forecast.forecast import cost_of
from bench.records.store import RunStore
from bench.scores.frames import build_frames
from bench.study.expand import expand
from bench.study.study import Study
from bench.watch.telemetry import Memory
from reports import ReportFrames


@pytest.fixture
def frames(study: Study, finished: RunStore) -> ReportFrames:
    records = finished.read_all(expand(study))
    return build_frames(records, study.chosen_prompts(), finished)


def test_frames_are_on_disk_too(frames: ReportFrames, finished: RunStore) -> None:
    for name in ("cells", "events", "views", "scores", "metric_columns"):
        held, kept = getattr(frames, name).reset_index(drop=True), pd.read_parquet(finished.folder / f"{name}.parquet")
        pd.testing.assert_frame_equal(_as_words(held), _as_words(kept), check_dtype=False)


def _as_words(frame: pd.DataFrame) -> pd.DataFrame:
    words = frame.astype(dict.fromkeys(frame.columns[frame.dtypes == "category"], "str"))
    return words.assign(normal_path=words["normal_path"].fillna("")) if "normal_path" in words else words


def test_words_are_categories_that_sort_as_words_do(frames: ReportFrames) -> None:
    for frame, names in ((frames.scores, ("cell", "method", "prompt_id", "prompt", "metric")),
                         (frames.events, ("cell", "method", "prompt_id"))):  # fmt: skip
        for name in names:
            categories = list(frame[name].cat.categories)
            assert categories == sorted(set(frame[name]))


def test_a_gpu_is_shown_with_the_backends(study: Study, finished: RunStore, frames: ReportFrames) -> None:
    [first, *others] = finished.read_all(expand(study))
    assert set(frames.cells["device"]) == {first.environment.device}
    gpu = {"gpu": "a GPU", "device": "a GPU", "backends": {"encoding": "triton", "marching": "torch"}}
    environment = first.environment.model_copy(update=gpu)
    found = build_frames(
        [first.model_copy(update={"environment": environment}), *others], study.chosen_prompts(), finished
    )
    assert found.cells["device"].iloc[0] == "a GPU, encoding in triton, marching in torch"
    older = environment.model_copy(update={"backends": None})
    found = build_frames([first.model_copy(update={"environment": older}), *others], study.chosen_prompts(), finished)
    assert found.cells["device"].iloc[0] == "a GPU"


def test_memory_does_not_depend_on_which_arm_embeds_a_prompt_first(study: Study, finished: RunStore) -> None:
    """The first arm of a prompt has the text encoders on the GPU while it is prepared."""
    by_phase = {"optimise": 9, "optimise_reserved": 11, "evaluate": 7, "evaluate_reserved": 12}
    memories = [
        Memory(kind="cuda", peak_bytes=peak, reserved_bytes=peak + 1, since="cell",
               by_phase=by_phase | {"prepare": peak, "prepare_reserved": peak + 1})
        for peak in (17, 8, 8, 8)
    ]  # fmt: skip
    records = finished.read_all(expand(study))
    records = [record.model_copy(update={"memory": one}) for record, one in zip(records, memories, strict=True)]
    cells = build_frames(records, study.chosen_prompts(), finished).cells
    assert list(cells["peak_bytes"]) == [9] * 4
    assert list(cells["reserved_bytes"]) == [12] * 4
    cost = cost_of(records[0], records[0].cell.steps)
    assert cost is not None
    assert cost.peak_bytes == 17  # whether a cell fits is another question


def test_events_add_up(frames: ReportFrames) -> None:
    for identity, events in frames.events.groupby("cell"):
        cell = frames.cells.set_index("cell").loc[identity]
        assert list(events["step"]) == [0, 1, 2, 3]
        assert events["seconds"].is_monotonic_increasing
        assert events["unet_calls"].iloc[-1] == cell["unet_calls"]
        assert events["seconds"].iloc[-1] <= cell["optimise_seconds"]


def test_views_have_the_truth_beside_the_methods(frames: ReportFrames) -> None:
    counts = frames.views.groupby(["prompt_id", "method"]).size()
    assert counts.to_dict() == {
        (prompt, method): 3 for prompt in ("blue-duck", "red-striped-car") for method in ("ground truth", "sds", "sdi")
    }
    assert all(Path(path).is_file() for path in [*frames.views["rgb_path"], *frames.views["opacity_path"]])


def test_scores_of_cells_that_are_no_more_are_left_out(study: Study, finished: RunStore) -> None:
    records = finished.read_all(expand(study)[1:])
    scores = build_frames(records, study.chosen_prompts(), finished).scores
    assert set(scores["cell"]) == {record.identity for record in records}


def test_a_run_without_scores_says_what_to_do(study: Study, finished: RunStore) -> None:
    (finished.folder / "scores.parquet").write_text("x")
    records = finished.read_all(expand(study))
    with pytest.raises(InputError, match=r"scores.parquet: cannot be read"):
        build_frames(records, study.chosen_prompts(), finished)
    (finished.folder / "scores.parquet").unlink()
    with pytest.raises(InputError, match="score the run first"):
        build_frames(records, study.chosen_prompts(), finished)
