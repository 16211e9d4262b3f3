"""``sdibench cite``: BibTeX on standard output and nothing else; one line for what cannot be cited."""

from __future__ import annotations

import pytest

import methods.card
from bench.cli import main
from methods.distillation import methods as registry

DREAMFUSION = """\
@misc{poole2022dreamfusion,
  title = {{DreamFusion: Text-to-3D using 2D Diffusion}},
  author = {Poole, Ben and Jain, Ajay and Barron, Jonathan T. and Mildenhall, Ben},
  year = {2022},
  eprint = {2209.14988},
  archivePrefix = {arXiv},
  note = {ICLR 2023},
}
"""


@pytest.mark.parametrize("name", ["sds", "sds-threestudio"])
def test_cite_prints_the_entry_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cite", name]) == 0
    assert capsys.readouterr() == (DREAMFUSION, "")


def test_lines_are_not_wrapped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["cite", "esd"]) == 0
    (authors,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  author")]
    assert len(authors) > 150
    assert authors.endswith("Chandra, Vikas},")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sdii", "unknown method 'sdii': did you mean sdi"),
        ("DreamFusion", "unknown method 'DreamFusion': "),
    ],
)
def test_an_unknown_method_is_one_line_and_status_2(
    name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cite", name]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(f"sdibench: {message}")
    assert error.count("\n") == 1


def test_a_method_without_a_card_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._found, "plain", type("Plain", (), {}))
    assert "plain" in registry.names()
    assert methods.card.card_of("plain", registry["plain"]) is None
    assert main(["cite", "plain"]) == 2
    assert capsys.readouterr() == ("", "sdibench: method 'plain' has no card, so its paper is not known\n")
