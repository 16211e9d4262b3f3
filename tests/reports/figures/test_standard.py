from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from reports.figures.drawing.style import LIGHT, styled, svg_and_pdf
from reports.figures.standard import standard_figures
from reports.frames import ReportError

ALL = ["overview", "differences", "quality-against-cost", "time-to-quality", "profiles", "outcomes", "curves"]
DRAWN = {
    "large": ALL,
    "small": ALL,
    "long": ALL,
    "seeds": ALL,
    "one": ["overview", "time-to-quality", "profiles", "curves"],
    "lost": ["outcomes", "curves"],
}
SOME = ("quality-against-cost",)
DIGESTS = """
import hashlib, pickle, sys
from reports.figures.standard import standard_figures
from reports.figures.drawing.style import svg_and_pdf
for spec, draw in standard_figures(pickle.load(sys.stdin.buffer), baseline="sds"):
    if spec.name not in sys.argv:
        continue
    print(*(hashlib.sha256(data).hexdigest() for data in svg_and_pdf(draw)))
"""


@pytest.mark.parametrize("case", DRAWN)
def test_figures_have_data_and_their_texts_fit(cases, case):
    """Figures without data are left out; no text is cut off, no legend covers a panel, no panel is empty."""
    figures = standard_figures(cases[case], baseline=cases[case].methods[0])
    assert [spec.name for spec, _ in figures] == DRAWN[case]
    assert all(spec.title and spec.caption.endswith(".") for spec, _ in figures)
    assert not any("{" in spec.title + spec.caption for spec, _ in figures)
    for spec, draw in figures:
        with styled(LIGHT):
            drawn = draw(LIGHT)
            renderer = FigureCanvasAgg(drawn).get_renderer()
            box, (width, height) = drawn.get_tightbbox(renderer), drawn.get_size_inches()
            assert min(box.x0, box.y0, width - box.x1, height - box.y1) > -0.01, spec.name
            panels = [axis for axis in drawn.axes if axis.get_visible()]
            for legend in drawn.legends:
                under = legend.get_window_extent(renderer)
                assert not any(under.overlaps(axis.get_tightbbox(renderer).padded(-1)) for axis in panels), spec.name
            assert all(axis.lines or axis.patches for axis in panels), spec.name


@pytest.fixture(scope="module")
def documents(cases):
    """SVG and PDF of some figures of a study with two metrics: with placed labels, hatches, many lines."""
    figures = standard_figures(cases["two-metrics"], baseline="sds")
    return [svg_and_pdf(draw) for spec, draw in figures if spec.name in SOME]


def test_same_frames_give_the_same_bytes_in_another_process(cases, documents):
    hash_seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    there = subprocess.run(
        [sys.executable, "-c", DIGESTS, *SOME],
        input=pickle.dumps(cases["two-metrics"]),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    here = [[hashlib.sha256(data).hexdigest() for data in both] for both in documents]
    assert [line.split() for line in there.stdout.decode().splitlines()] == here


def test_papers_get_truetype_without_a_date(documents):
    for _, document in documents:
        assert document.startswith(b"%PDF")
        assert b"CreationDate" not in document
        assert b"/Type3" not in document
        assert b"/TrueType" in document or b"/CIDFontType2" in document


def test_a_wrong_baseline_is_named(cases):
    with pytest.raises(ReportError, match="method 'vsd' is not one of sds, nfsd, ism, sdi"):
        standard_figures(cases["small"], baseline="vsd")


def test_infinite_scores_have_no_mark(cases):
    frames = cases["small"]
    infinite = frames.scores["value"].mask(frames.scores["method"] == "sdi", np.inf)
    frames = dataclasses.replace(frames, scores=frames.scores.assign(value=infinite))
    figures = {spec.name: draw(LIGHT) for spec, draw in standard_figures(frames, baseline="sds")}
    for figure in figures.values():
        figure.draw_without_rendering()
    for axis in figures["overview"].axes:
        rows = [line.get_ydata()[0] for line in axis.lines if line.get_label() == "_mean"]
        assert frames.methods.index("sdi") not in rows
