"""Every method of the suite has a card that agrees with its class, and what a card cites can be parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import methods.distillation
from methods.card import CardError, MethodCard, Paper, PublishedRow, card_of, load_card
from methods.distillation import methods as registry

CARDS = Path(methods.distillation.__file__).parent / "cards"
OWN = [name for name in registry.names() if registry[name].__module__.startswith("methods.")]

#: Tables 1 and 2 of arXiv 2405.15891 as printed: CLIP, CLIP-IQA quality, sharpness, real, ImageReward, Div., min, GB.
TABLES = {
    ("sds", 1): "29.81±2.49 76±6.6 99±1.2 98±2.4 -1.51±0.83 18.6 66 6.2",
    ("sjc", 1): "30.39±1.98 76±6.4 99±0.1 98±1.1 -1.76±0.51 11.6 13 13.1",
    ("vsd", 1): "33.31±2.39 77±6.7 98±1.3 96±4.4 -1.17±0.58 23.2 334 47.9",
    ("esd", 1): "32.79±2.15 77±7.2 98±1.2 97±2.7 -1.20±0.64 14.0 331 46.8",
    ("hifa", 1): "32.80±2.35 81±6.5 98±1.5 97±1.2 -1.16±0.69 4.7 235 46.4",
    ("sdi", 1): "33.47±2.49 82±6.3 98±1.3 97±1.2 -1.18±0.59 4.7 119 39.2",
    ("ism", 2): "28.60±2.03 0.85±0.02 0.98±0.01 0.98±0.01 -0.52±0.48 - 45 15.4",
    ("sdi", 2): "28.47±1.29 0.88±0.03 0.99±0.00 0.98±0.01 -0.30±0.32 - 43 15.4",
}


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


def test_presets_share_their_methods_paper_and_rows() -> None:
    presets = {name: card(name).preset_of for name in OWN if card(name).preset_of}
    assert presets == {"sds-threestudio": "sds", "ism-code": "ism", "sdi-code": "sdi"}
    for preset, whole in presets.items():
        assert card(preset).paper == card(whole).paper
        assert card(preset).published == card(whole).published
        assert card(preset).title != card(whole).title


def test_published_rows_are_the_tables() -> None:
    rows = {
        (name, int(re.findall(r"table (\d)", row.source)[0])): row
        for name in OWN
        if not card(name).preset_of
        for row in card(name).published
    }
    assert rows.keys() == TABLES.keys()
    for key, printed in TABLES.items():
        clip, *iqa, reward, diverged, minutes, memory = printed.split()
        row, in_percent = rows[key], 100 if key[1] == 2 else 1
        assert f"table {key[1]}, row {key[0].upper()}".replace("HIFA", "HiFA") in row.source
        for spread, text, factor in zip(
            (row.clip_score, row.quality, row.sharpness, row.real, row.image_reward),
            (clip, *iqa, reward),
            (1, in_percent, in_percent, in_percent, 1),
            strict=True,
        ):
            assert spread == pytest.approx([factor * float(number) for number in text.split("±")])
        assert row.diverged == (None if diverged == "-" else float(diverged))
        assert (row.minutes, row.memory_gb) == (float(minutes), float(memory))


def test_divergence_rates_are_counts_of_the_43_prompts() -> None:
    for name in OWN:
        for row in card(name).published:
            if row.diverged is not None:
                assert "43 prompts" in row.setting
                cells = round(row.diverged * 43 / 100)
                assert row.diverged == pytest.approx(100 * cells / 43, abs=0.07)  # 10 / 43 is printed as 23.2


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


def test_papers_are_told_apart_by_key_and_number() -> None:
    papers = {card(name).paper for name in OWN}
    assert len({paper.key for paper in papers}) == len({paper.arxiv for paper in papers}) == len(papers) == 9


def test_another_packages_card_is_its_attribute() -> None:
    @dataclass(frozen=True)
    class Plain:
        card: int = 3  # a hyper-parameter by that name is no card

    class Told:
        card = card("sds").model_copy(update={"name": "told"})

    assert card_of("plain", Plain) is None
    told = card_of("told", Told)
    assert told is not None
    assert told.name == "told"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "is not valid TOML"),
        ('preset_of = "nothing"', "nothing.toml: there is no such card"),
        ('title = "X"', "paper: Field required"),
        ('preset_of = "whole"\ntitel = "X"', "Field required"),
    ],
)
def test_a_card_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
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
    assert PublishedRow(source="s", setting="t").diverged is None
