"""A table whose texts contain the marks of all formats, and whose entries have every part."""

from __future__ import annotations

import pytest

from reports.table import Entry, Row, Sentence, Table, TableColumn

HOSTILE = '<script>alert("1")</script> & a_b 50% $x$ #1 {y} ~ ^ \\ `c` *d* [e](f) | g κ ≤ … –'
COLUMNS = (
    TableColumn("clip_score", "CLIP", direction="up"),
    TableColumn("divergence", "Div.", "%", "down", decimals=1),
    TableColumn("gain", HOSTILE, "dB", signed=True),
    TableColumn("p", "p", decimals=4, kind="p"),
    TableColumn("verdict", "verdict", kind="words"),
)
TABLE = Table(
    name="hostile",
    title=f"Title {HOSTILE}",
    caption=("First sentence.", f"Second: {HOSTILE}."),
    stub="Method",
    columns=COLUMNS,
    rows=(
        Row(
            "sds",
            (
                Entry(29.814, 2.49, 43, low=29.0512, high=30.5768, group=1, cells=("c1", "c2")),
                Entry(18.6046, text="8/43", note="1 oom", low=9.7, high=32.6),
                Entry(-0.001, 0.5, 2, why="2 prompts, at least 6 are needed"),
                Entry(1e-5),
                Entry(text="cannot tell"),
            ),
        ),
        Row(
            HOSTILE,
            (
                Entry(33.47, 2.49, 41, low=32.7, high=34.2, group=0, cells=("c3", "c2")),
                Entry(text="0/0"),
                Entry(1.25, n=1, note=HOSTILE, low=-0.5, high=3.0),
                Entry(0.25),
                Entry(text=HOSTILE),
            ),
        ),
        Row("[1] blank", (Entry(n=0), Entry(), Entry(), Entry(), Entry()), part=f"Part {HOSTILE}"),
        Row(
            "other digits",
            (Entry(7.123456, 0.25), Entry(), Entry(2.0), Entry(), Entry()),
            part=f"Part {HOSTILE}",
            columns=(
                TableColumn("clip_score", "CLIP", decimals=0, sd_decimals=1),
                *(TableColumn(column.key, column.title, kind=column.kind) for column in COLUMNS[1:]),
            ),
        ),
    ),
    footnotes=(Sentence(f"CLIP: {HOSTILE}.", ("clip_score",)),),
)


@pytest.fixture(scope="session")
def hostile() -> str:
    """A text that tries to be markup in every format."""
    return HOSTILE


@pytest.fixture(scope="session")
def table() -> Table:
    """The table."""
    return TABLE
