from __future__ import annotations

from itertools import pairwise

from reports.figures.drawing.looks import looks
from reports.figures.drawing.style import DARK, LIGHT


def test_looks_are_distinct_and_neighbours_also_without_colour():
    methods = [f"method-{index}" for index in range(64)]
    found = looks(methods, LIGHT)
    assert len({(look.colour, look.marker) for look in found.values()}) == 64
    assert all((one.marker, one.dashes) != (other.marker, other.dashes) for one, other in pairwise(found.values()))


def test_a_methods_look_is_its_place_in_the_study_in_every_theme():
    light, dark = (looks(["sds", "sdi"], theme) for theme in (LIGHT, DARK))
    assert [light[name].marker for name in light] == [dark[name].marker for name in dark]
    assert light["sdi"].colour == LIGHT.series[1]
    assert dark["sdi"].colour == DARK.series[1]
