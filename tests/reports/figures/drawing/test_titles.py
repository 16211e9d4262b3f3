from __future__ import annotations

from itertools import pairwise

import pytest

from reports.figures.drawing.layout import panels, title_panel
from reports.figures.drawing.rows import row_panels
from reports.figures.drawing.style import LIGHT, TITLE_SIZE, styled

LONG = "Multi-scale image quality transformer, no reference (higher is better)"


@pytest.mark.parametrize("width", [1.2, 2.1])
@pytest.mark.parametrize("title", ["PSNR", "R-precision (%)", LONG, LONG * 3, f"{LONG}\n{LONG}"])
def test_titles_of_a_row_do_not_overlap(title: str, width: float) -> None:
    figure, axes = panels(3, width=width)
    for axis in axes:
        title_panel(axis, title)
    boxes = [axis.title.get_window_extent() for axis in axes]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert boxes[0].x0 >= 0
    assert boxes[-1].x1 <= figure.bbox.width
    assert axes[0].get_title().startswith(title[:3])
    assert axes[0].get_title().endswith(title[-3:])


def test_a_short_title_keeps_its_size() -> None:
    _, (axis,) = panels(1)
    title_panel(axis, "PSNR")
    assert (axis.get_title(), axis.title.get_fontsize()) == ("PSNR", TITLE_SIZE)


@pytest.mark.parametrize("title", ["Δ |log2(Saturation / 100)| ↓", *("e" * length for length in range(14, 34))])
def test_a_title_of_any_length_ends_within_the_figure(title: str) -> None:
    """Titles are bold, which is wider."""
    with styled(LIGHT):
        figure, axes = row_panels(["sds"], 4)
        figure.set_dpi(1000)  # letters are as wide as in a vector file, which has no pixels
        title_panel(axes[-1], title)
        written = axes[-1]._left_title  # the one that the style fills
        assert written.get_text()
        assert written.get_window_extent().x1 <= figure.bbox.width
