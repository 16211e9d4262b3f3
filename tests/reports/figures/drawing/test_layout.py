from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D

from reports.figures.drawing.layout import broken, legend_below, legend_height, panels, text_width
from reports.figures.drawing.style import LIGHT, styled


def test_panels_are_in_rows_and_have_the_given_size():
    figure, axes = panels(5, across=3, width=2.0, height=1.5, left=0.5, right=0.1, gap=0.4, top=0.3, bottom=0.4, foot=1)
    assert figure.get_size_inches() == pytest.approx((0.5 + 3 * 2 + 2 * 0.4 + 0.1, 2 * (0.3 + 1.5 + 0.4) + 1))
    boxes = [
        axis.get_position().transformed(figure.transFigure).transformed(figure.dpi_scale_trans.inverted())
        for axis in axes
    ]
    assert [box.width for box in boxes] == pytest.approx([2.0] * 5)
    assert [box.height for box in boxes] == pytest.approx([1.5] * 5)
    assert boxes[0].x0 == pytest.approx(boxes[3].x0)
    assert boxes[3].y0 == pytest.approx(1 + 0.4)


@pytest.mark.parametrize("text", ["sds", "without-conditional", "a_$b^2 under\nτ"])
def test_widths_are_those_of_the_drawn_text(text):
    with styled(LIGHT):
        figure, _ = panels(1)
        drawn = figure.text(0, 0, text).get_window_extent(FigureCanvasAgg(figure).get_renderer())
    assert text_width(text) == pytest.approx(drawn.width / figure.dpi, rel=0.12)
    assert text_width("") == 0.0


def test_long_labels_are_broken_and_cut_after_three_lines():
    assert broken("sdi-low-resolution") == "sdi-low-resolution"
    assert broken("one-two-three-four-five-six", 12) == "one-two-\nthree-four-\nfive-six"
    cut = broken("x" * 90 + "-16", 20).splitlines()
    assert [len(line) for line in cut] == [20, 20, 20]
    assert cut[-1].startswith("…")
    assert cut[-1].endswith("x-16")
    assert broken("first\nsecond") == "first\nsecond"


@pytest.mark.parametrize("count", [1, 5, 16])
def test_a_legend_fits_its_measured_height(count):
    labels = [f"method-{index}" + "\nin two lines" * (index % 3 == 0) for index in range(count)]
    with styled(LIGHT):
        room = legend_height(labels, 5.0)
        figure, _ = panels(1, width=4.38, foot=room)
        legend_below(figure, labels, [Line2D([], []) for _ in labels])
        box = figure.legends[0].get_window_extent(FigureCanvasAgg(figure).get_renderer())
    assert box.height / figure.dpi <= room
    assert box.x1 / figure.dpi <= 5.0
    assert legend_height([], 5.0) == 0.0
