from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bench.scores.event_table
from bench.errors import InputError
from bench.records.outcome import Images, Outcome
from bench.records.read_record import read_events
from bench.records.record import EVENTS_FILE, RECORD_FILE, Record
from bench.records.store import RunStore
from bench.scores.event_table import EVENTS_TABLE, event_table
from bench.study.expand import expand
from bench.study.study import Study
from reports.frames import EVENTS


@pytest.fixture
def records(study: Study, finished: RunStore) -> list[Record]:
    (finished.folder / EVENTS_TABLE).unlink()
    return finished.read_all(expand(study))


def _one_by_one(records: list[Record], store: RunStore) -> pd.DataFrame:
    """The same through the documented model of an event."""
    rows = []
    for record in records:
        seconds, calls = 0.0, 0
        for event in read_events(store.cell_folder(record.cell)):
            seconds, calls = seconds + event.seconds, calls + event.unet_calls
            cell = record.cell
            rows.append(
                {"cell": record.identity, "method": cell.label, "prompt_id": cell.prompt_id, "seed": cell.seed}
                | event.model_dump(include={"step", "loss", "timestep", "log_snr", "opacity"})
                | {"fixed_point_error": event.diagnostics.get("fixed_point_error")}
                | {"seconds": seconds, "unet_calls": calls}
            )
    return pd.DataFrame(rows, columns=list(EVENTS)).astype({"fixed_point_error": float, "loss": float})


def _assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    words = dict.fromkeys(("cell", "method", "prompt_id"), "str")
    pd.testing.assert_frame_equal(found.astype(words), expected.astype(words), check_dtype=False, rtol=1e-6)


def test_it_is_what_the_events_say(records: list[Record], finished: RunStore) -> None:
    _assert_same(event_table(records, finished), _one_by_one(records, finished))


def test_many_small_batches_make_the_same_table(
    records: list[Record], finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.scores.event_table, "_AT_ONCE", 1)
    _assert_same(event_table(records, finished), _one_by_one(records, finished))


def test_records_from_before_the_log_snr_have_nan(records: list[Record], finished: RunStore) -> None:
    first, other = records[:2]
    path = finished.cell_folder(first.cell) / EVENTS_FILE
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(isinstance(line.pop("log_snr"), float) for line in lines)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    table = event_table([first, other], finished)
    is_older = table["cell"] == first.identity
    assert table.loc[is_older, "log_snr"].isna().all()
    assert table.loc[~is_older, "log_snr"].notna().all()
    assert all(event.log_snr is None for event in read_events(path.parent))


def test_numbers_that_are_not_finite_and_methods_without_diagnostics_have_nan(
    records: list[Record], finished: RunStore
) -> None:
    path = finished.cell_folder(records[0].cell) / EVENTS_FILE
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line | {"loss": None, "diagnostics": {}}) + "\n" for line in lines))
    frame = event_table(records[:1], finished)
    assert frame["loss"].isna().all()
    assert frame["fixed_point_error"].isna().all()
    assert frame["step"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1], [2], [1, 3, 0, 2]])
def test_only_records_that_are_new_to_it_are_parsed(
    records: list[Record], finished: RunStore, monkeypatch: pytest.MonkeyPatch, order: list[int]
) -> None:
    event_table([records[3], records[1]], finished)
    parsed = []
    batches = bench.scores.event_table._batches
    monkeypatch.setattr(bench.scores.event_table, "_batches", lambda given: (parsed.extend(given), batches(given))[1])
    wanted = [records[index] for index in order]
    expected = _one_by_one(wanted, finished)
    _assert_same(event_table(wanted, finished), expected)
    assert [record.identity for record in parsed] == [records[i].identity for i in order if i in (0, 2)]
    parsed.clear()
    _assert_same(event_table(wanted, finished), expected)
    assert parsed == []


def test_a_cell_that_was_run_again_is_parsed_again(records: list[Record], finished: RunStore) -> None:
    event_table(records, finished)
    folder = finished.cell_folder(records[2].cell)
    first = (folder / EVENTS_FILE).read_text().splitlines(keepends=True)[0]
    (folder / EVENTS_FILE).write_text(first)
    again = records[2].model_copy(update={"steps_done": 1, "file_bytes": {EVENTS_FILE: len(first)}})
    now = [*records[:2], again, records[3]]
    frame = event_table(now, finished)
    assert frame.groupby("cell").size()[again.identity] == 1
    _assert_same(frame, _one_by_one(now, finished))


@pytest.mark.parametrize("text", ["{", "[1]\n", '{"step": "x"}\n', '{"step": 1}\n{"step"'])
def test_events_that_cannot_be_read_are_told_by_their_file(
    records: list[Record], finished: RunStore, text: str
) -> None:
    path = finished.cell_folder(records[1].cell) / EVENTS_FILE
    path.write_text(text)
    with pytest.raises(InputError, match=f"{path}: corrupt record"):
        event_table(records, finished)


@pytest.mark.parametrize("content", [b"x", b""])
def test_a_table_that_cannot_be_read_is_built_again(records: list[Record], finished: RunStore, content: bytes) -> None:
    (finished.folder / EVENTS_TABLE).write_bytes(content)
    _assert_same(event_table(records, finished), _one_by_one(records, finished))


def test_a_run_without_a_step_has_an_empty_table(study: Study, tmp_path: Path, records: list[Record]) -> None:
    store = RunStore(tmp_path / "other")
    empty = records[0].model_copy(update={"steps_done": 0})
    images = np.zeros((0, 8, 8, 3), np.uint8)
    written = store.write(Outcome(empty, [], Images([], images, images[..., 0]), {}))
    assert (store.cell_folder(written.cell) / RECORD_FILE).is_file()
    frame = event_table([written], store)
    assert frame.empty
    assert list(frame) == list(EVENTS)
