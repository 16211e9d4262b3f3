"""Settings and labels that the command line gives for imported renders."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.commands.imports import label_of, read_settings, settings_of
from bench.errors import InputError
from methods.registry import UnknownNameError


def test_settings_are_toml_values_or_words() -> None:
    given = ["a=1", "b=true", "c=evaluation", 'd="1"', "e=[1, 2]", "f=x=y", "video.views=3", "frames.a=2"]
    found = read_settings(given, "--set")
    plain = {"a": 1, "b": True, "c": "evaluation", "d": "1", "e": [1, 2], "f": "x=y"}
    assert found == plain | {"video.views": 3, "frames.a": 2}
    assert settings_of("video", found) == plain | {"views": 3}
    assert settings_of("frames", found) == plain | {"a": 2}


def test_a_setting_of_no_folders_layout_is_told() -> None:
    assert read_settings(["video.views=3"], "--set", ["frames", "video"]) == {"video.views": 3}
    assert read_settings(["video.views=3"], "--known") == {"video.views": 3}  # a fact: no layout is meant
    with pytest.raises(InputError, match=r"^--set 'vido.views=3': no folder has the layout 'vido': did you mean v"):
        read_settings(["vido.views=3"], "--set", ["frames", "video"])
    with pytest.raises(UnknownNameError, match=r"'vido': did you mean video\?"):  # and not that of the setting
        read_settings(["video.views=3"], "--set", ["vido"])


@pytest.mark.parametrize(
    ("name", "label"), [("My renders (v2)", "My-renders-v2"), ("…", "renders"), ("a" * 99, "a" * 60)]
)
def test_a_label_is_made_of_the_folder(name: str, label: str, tmp_path: Path) -> None:
    assert label_of(tmp_path / name) == label


def test_a_number_of_too_many_digits_is_a_word() -> None:
    assert read_settings([f"views={'9' * 5000}"], "--set") == {"views": "9" * 5000}
