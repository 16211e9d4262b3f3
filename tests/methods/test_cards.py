"""Every method of the suite has a card that agrees with its class, and its citation can be parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import methods.distillation
from methods.card import CardError, MethodCard, Paper, card_of, load_card
from methods.distillation import methods as registry

CARDS = Path(methods.distillation.__file__).parent / "cards"
OWN = [name for name in registry.names() if registry[name].__module__.startswith("methods.")]


def card(name: str) -> MethodCard:
    found = card_of(name, registry[name])
    assert found is not None
    return found


def test_every_method_has_a_card_and_every_card_a_method() -> None:
    assert len(OWN) >= 12
    assert sorted(path.stem for path in CARDS.glob("*.toml")) == sorted(OWN)


@pytest.mark.parametrize("name", OWN)
def test_card_agrees_with_its_class(name: str) -> None:
    its, method = card(name), registry[name]()
    scale = getattr(method, "guidance_scale", getattr(method, "gamma_fwd", None))
    assert its.name == name
    assert its.guidance_scale == scale
    words = method.__doc__ or ""
    assert its.paper.arxiv in words, "the class cites the paper of its card"
    assert MethodCard.model_validate_json(its.model_dump_json()) == its


def test_presets_share_their_methods_paper() -> None:
    presets = {name: card(name).preset_of for name in OWN if card(name).preset_of}
    codes = {f"{name}-code": name for name in ("ism", "sdi", "csd")}
    assert presets == {"sds-threestudio": "sds", "rfds-rev": "rfds"} | codes
    for preset, whole in presets.items():
        assert card(preset).paper == card(whole).paper
        assert card(preset).title != card(whole).title


@pytest.mark.parametrize("name", OWN)
def test_bibtex_can_be_read_back(name: str) -> None:
    paper = card(name).paper
    entry = paper.bibtex
    head = re.match(r"@misc\{([a-z0-9]+),\n", entry)
    assert head is not None
    assert head[1] == paper.key
    assert entry.endswith("\n}")
    assert entry.count("{") == entry.count("}")
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", entry, flags=re.MULTILINE))
    assert fields["title"] == f"{{{paper.title}}}"
    assert tuple(fields["author"].split(" and ")) == paper.authors
    assert all(author.count(",") == 1 for author in paper.authors)
    assert (fields["year"], fields["eprint"], fields["archivePrefix"]) == (str(paper.year), paper.arxiv, "arXiv")
    assert int(paper.arxiv[:2]) + 2000 == paper.year
    assert 1 <= int(paper.arxiv[2:4]) <= 12


def test_papers_differ_in_key_and_number() -> None:
    papers = {card(name).paper for name in OWN}
    count = len([name for name in OWN if not card(name).preset_of])
    assert len({paper.key for paper in papers}) == len({paper.arxiv for paper in papers}) == len(papers) == count


def test_another_packages_card_is_its_attribute() -> None:
    @dataclass(frozen=True)
    class Plain:
        card: int = 3  # a hyper-parameter by that name is no card

    class Foreign:
        card = card("sds").model_copy(update={"name": "foreign"})

    assert card_of("plain", Plain) is None
    foreign = card_of("foreign", Foreign)
    assert foreign is not None
    assert foreign.name == "foreign"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "is not valid TOML"),
        ('preset_of = "nothing"', "nothing.toml: there is no such file"),
        ('title = "X"', "paper: Field required"),
        ('preset_of = "whole"\ntitel = "X"', "Field required"),
    ],
)
def test_an_unreadable_card_gives_an_error_of_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "whole.toml").write_text((CARDS / "sds.toml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CardError, match=message) as error:
        load_card(tmp_path / "bad.toml")
    assert "\n" not in str(error.value)


def test_short_names_one_author_or_the_first() -> None:
    one = Paper(key="x", title="X", authors=("Doe, Jane",), year=2024, arxiv="2401.00001")
    assert one.short == "Doe 2024, arXiv 2401.00001"
    assert "note" not in one.bibtex
    two = one.model_copy(update={"authors": ("Doe, Jane", "Roe, Richard"), "venue": "Venue 2024"})
    assert two.short == "Doe et al. 2024, arXiv 2401.00001"
    assert "  note = {Venue 2024},\n" in two.bibtex
