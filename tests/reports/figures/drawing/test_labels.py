from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from reports.figures.drawing.labels import Labelled, place_labels
from reports.figures.drawing.layout import panels
from reports.figures.drawing.style import LIGHT, styled


def scattered(count, seed):
    rng = np.random.default_rng(seed)
    return [Labelled(*rng.uniform(0, 1, 2), f"method-{index}", "#000000") for index in range(count)]


def placed(marks):
    figure, (axis,) = panels(1, width=3.1, height=2.3)
    axis.set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1))
    return figure, axis, place_labels(axis, marks, [], LIGHT)


@pytest.mark.parametrize("seed", range(5))
def test_labels_of_eight_methods_cover_neither_each_other_nor_a_mark(seed):
    marks = scattered(8, seed)
    with styled(LIGHT):
        figure, axis, boxes = placed(marks)
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw_without_rendering()
        drawn = [Text.get_window_extent(text, renderer) for text in axis.texts]  # without the lines to marks
    inside = axis.get_window_extent()
    spots = axis.transData.transform([(mark.x, mark.y) for mark in marks])
    assert all(one.overlap(other) == 0 for i, one in enumerate(boxes) for other in boxes[:i])
    for index, box in enumerate(drawn):
        assert not any(box.overlaps(other) for other in drawn[:index])
        assert not any(box.contains(*spot) for spot in spots)
        assert box.x0 >= inside.x0 - 1
        assert box.x1 <= inside.x1 + 1


def test_a_single_label_is_next_to_its_mark_and_avoids_bars():
    with styled(LIGHT):
        _, _, (box,) = placed([Labelled(0.5, 0.5, "sds", "#000000")])
        figure, (axis,) = panels(1)
        axis.set(xlim=(0, 1), ylim=(0, 1))
        (free,) = place_labels(axis, [Labelled(0.5, 0.5, "sds", "#000000")], [(0.5, 0.5, 1, 0.5)], LIGHT)
    scale = 72 / figure.dpi
    x, y = scale * axis.transData.transform((0.5, 0.5))
    assert box.right - box.left > box.top - box.bottom
    assert free.right <= x or free.bottom >= y or free.top <= y


def test_places_are_deterministic():
    marks = scattered(6, 3)
    with styled(LIGHT):
        assert placed(marks)[2] == placed(marks)[2]


def test_only_a_label_far_from_its_mark_has_a_line_to_it():
    crowd = [Labelled(0.5, 0.5 + 0.001 * index, f"method-{index}", "#000000") for index in range(9)]
    with styled(LIGHT):
        _, axis, _ = placed(crowd)
        assert sum(text.arrow_patch is not None for text in axis.texts) > 0
        _, axis, _ = placed(crowd[:1])
        assert [text.arrow_patch for text in axis.texts] == [None]
