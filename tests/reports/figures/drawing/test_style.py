"""Themes: the dark figure is the light one in other colours."""

from __future__ import annotations

import re

import pytest

from reports.figures.drawing.style import DARK, LIGHT, Theme, _save, darkened, svg_and_pdf
from reports.figures.standard import standard_figures


def colours(theme: Theme) -> list[str]:
    return [theme.ink, theme.faint, theme.line, theme.warning, theme.paper, *theme.series]


def without_ids(svg: bytes) -> bytes:
    """matplotlib hashes colours into the names of markers."""
    return re.sub(rb'(#|id=")[a-z][0-9a-f]{10}', b"", svg)


def test_a_colour_of_one_theme_is_one_of_the_other() -> None:
    pairs = set(zip(colours(LIGHT), colours(DARK), strict=True))
    assert len(pairs) == len(set(colours(LIGHT)))


@pytest.mark.parametrize("name", ["quality-against-cost", "outcomes"])  # with placed labels, with hatches
def test_the_dark_figure_is_what_would_have_been_drawn(cases, name) -> None:
    [draw] = [draw for spec, draw in standard_figures(cases["two-metrics"], baseline="sds") if spec.name == name]
    light, _ = svg_and_pdf(draw)
    dark = darkened(light)
    assert dark != light
    assert without_ids(dark) == without_ids(_save(draw, DARK, "svg")[0])


def test_names_of_marks_are_no_colours() -> None:
    assert darkened(b'<use xlink:href="#m3a3733f00d"/>') == b'<use xlink:href="#m3a3733f00d"/>'
    assert darkened(b'style="fill: #3a3733"') == b'style="fill: #cfcac0"'
