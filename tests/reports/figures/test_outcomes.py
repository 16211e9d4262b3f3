from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from skimage.color import deltaE_ciede2000, rgb2lab

from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import LIGHT
from reports.figures.outcomes import FILLS, outcomes
from reports.frames import DIVERGED, FAILED, STATUSES

#: Full protanopia, deuteranopia and tritanopia in linear RGB (Machado, Oliveira & Fernandes 2009, table 1).
BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def seen(colour, matrix):
    """Convert a colour to CIE Lab as seen without one kind of cone."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(matrix) @ linear, 0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def bars(axis):
    """Length of each bar by (row, status)."""
    return {
        (round(bar.get_y() + bar.get_height() / 2), container.get_label()[1:]): bar.get_width()
        for container in axis.containers
        for bar in container
    }


@pytest.mark.parametrize("case", ["large", "small", "lost"])
def test_bars_are_the_counts_of_the_cells(cases, case):
    frames = cases[case]
    figure = outcomes(frames)(LIGHT)
    drawn = {key: width for axis in figure.axes for key, width in bars(axis).items()}
    counts = pd.crosstab(frames.cells["method"], frames.cells["status"])
    expected = {
        (row, status): counts.loc[method, status]
        for row, method in enumerate(frames.methods)
        for status in counts.columns
        if counts.loc[method, status]
    }
    assert drawn == expected
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [s for s in STATUSES if s in counts.columns]


def test_every_count_is_written_once(cases):
    frames = cases["large"]
    figure = outcomes(frames)(LIGHT)
    for axis, kinds in zip(figure.axes, (("completed", *DIVERGED), FAILED), strict=True):
        for row, method in enumerate(frames.methods):
            own = frames.cells[(frames.cells["method"] == method) & frames.cells["status"].isin(kinds)][
                "status"
            ].value_counts()
            texts = [text.get_text() for text in axis.texts if round(text.get_position()[1]) == row]
            written = [int(word) for text in texts for word in text.replace(",", "").split() if word.isdigit()]
            assert sorted(written) == sorted(own.tolist())


def test_failures_have_a_panel_of_their_own_with_the_same_scale(cases):
    figure = outcomes(cases["large"])(LIGHT)
    ended, not_ended = figure.axes
    assert {status for _, status in bars(ended)} == {"completed", *DIVERGED}
    assert {status for _, status in bars(not_ended)} == set(FAILED)
    lengths = [np.ptp(axis.transData.transform([(0, 0), (1, 0)])[:, 0]) for axis in figure.axes]
    assert lengths[0] == pytest.approx(lengths[1])


def test_all_completed_is_nothing_to_draw(make_frames):
    with pytest.raises(NothingToDraw, match="every cell completed"):
        outcomes(make_frames(views=1, images=False))


def test_statuses_differ_for_the_colour_blind_and_without_colour():
    assert set(FILLS) == set(STATUSES)
    assert len({hatch for _, hatch in FILLS.values()}) == len(STATUSES)
    for matrix in (np.eye(3), *BLIND.values()):
        colours = {status: seen(fill, matrix) for status, (fill, _) in FILLS.items()}
        nearest = min(combinations(colours, 2), key=lambda pair: deltaE_ciede2000(*(colours[s] for s in pair)))
        assert deltaE_ciede2000(*(colours[s] for s in nearest)) > 10, nearest
