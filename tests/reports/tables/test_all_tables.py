import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from reports import ReportError
from reports.render import FORMATS
from reports.tables import Reproduction, all_tables

MANY = {f"p{index}": f"object {index}" for index in range(8)}


def test_a_study_without_failures_has_no_table_of_failures(make_frames):
    names = [table.name for table in all_tables(make_frames(views=2), [], baseline="sds")]
    assert names == ["summary", "differences", "divergence", "cost", "robust", "comparisons", "variance"]


def test_every_caption_carries_the_notes_and_every_score_its_card(make_frames):
    frames = make_frames(prompts=MANY, views=2, statuses={("sds", "p1"): "empty"})
    tables = all_tables(frames, ["Toy scorers."], baseline="sds")
    assert [table.name for table in tables if table.name in ("summary-common", "failures")] == [
        "summary-common",
        "failures",
    ]
    assert all(table.caption[-1] == "Toy scorers." for table in tables)
    scored = [table for table in tables if any(column.key == "quality" for column in table.columns)]
    assert len(scored) == 4
    assert all(len(table.footnotes) == 1 for table in scored)


def test_published_figures_of_other_models_are_refused_in_a_sentence(make_frames):
    wanted = Reproduction(("table1",), "toybox", "toybox")
    tables = all_tables(make_frames(views=1), [], baseline="sds", reproduction=wanted)
    assert not any(table.name.startswith("published") for table in tables)
    assert (
        "Table 1 of the SDI paper is not shown next to these results: its numbers belong to the prior sd21 and the "
        "scorers sd21, these to toybox and toybox." in tables[0].caption
    )


def test_an_unknown_published_table_is_named(make_frames):
    with pytest.raises(ReportError, match=r"published = 'tabel1': no such table; did you mean 'table1'\? known: fig11"):
        all_tables(make_frames(views=1), [], baseline="sds", reproduction=Reproduction(("tabel1",), "sd21", "sd21"))


SCRIPT = """
import hashlib, pickle, sys
from reports.render import FORMATS
from reports.tables import Reproduction, all_tables
frames = pickle.load(open(sys.argv[1], "rb"))
tables = all_tables(frames, [], baseline="sds", reproduction=Reproduction(("table1",), "sd21", "sd21"))
text = "".join(render(table) for table in tables for render in FORMATS.values())
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_another_process_with_another_hash_seed_writes_the_same_bytes(make_frames, tmp_path):
    frames = make_frames(methods=("sds", "sdi", "ism"), prompts=MANY, views=2, statuses={("ism", "p1"): "nan"})
    (tmp_path / "frames.pickle").write_bytes(pickle.dumps(frames))
    tables = all_tables(frames, [], baseline="sds", reproduction=Reproduction(("table1",), "sd21", "sd21"))
    text = "".join(render(table) for table in tables for render in FORMATS.values())
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "frames.pickle")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(text.encode()).hexdigest()
