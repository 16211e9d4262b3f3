"""Metadata of a method: its paper, its equations, and where it is known not to match them."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_CARDS = Path(__file__).parent / "distillation" / "cards"


class CardError(ValueError):
    """A card that cannot be read; the message is one line."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Paper(_Frozen):
    """A paper to cite."""

    key: str = Field(pattern=r"^[a-z0-9]+$", description="of the BibTeX entry")
    title: str = Field(min_length=1)
    authors: tuple[str, ...] = Field(min_length=1, description='"Family, Given", in the paper\'s order')
    year: int = Field(ge=2000, description="of the arXiv number")
    arxiv: str = Field(pattern=r"^\d{4}\.\d{5}$")
    venue: str = Field(default="", description="where it was published since; empty if not looked up")

    @property
    def short(self) -> str:
        """First author, year and arXiv number."""
        family = self.authors[0].split(",")[0]
        return f"{family}{' et al.' * (len(self.authors) > 1)} {self.year}, arXiv {self.arxiv}"

    @property
    def bibtex(self) -> str:
        """The BibTeX entry, without a line break at its end."""
        fields = {
            "title": f"{{{self.title}}}",  # a second pair of braces keeps its capitals
            "author": " and ".join(self.authors),
            "year": str(self.year),
            "eprint": self.arxiv,
            "archivePrefix": "arXiv",
            "note": self.venue,
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@misc{{{self.key},", *lines, "}"])


class MethodCard(_Frozen):
    """The definition of a method and where it comes from.

    A method of another package brings its own as the class attribute ``card``, or does without.
    """

    name: str = Field(min_length=1, description="name in the registry")
    title: str = Field(min_length=1, description="what the paper calls it")
    paper: Paper
    preset_of: str = Field(default="", description="the method whose paper this preset shares")
    follows: str = Field(min_length=1, description="the text or code that the implementation follows")
    update: str = Field(min_length=1, description="the gradient with respect to the latents")
    equations: str = Field(min_length=1, description="where the source has it")
    weighting: str = Field(min_length=1, description="w(t)")
    guidance: str = Field(min_length=1, description="the classifier-free guidance, in words and signs")
    guidance_scale: float | None = Field(
        default=None, description="default s of ε_∅ + s·(ε_y − ε_∅); None if it has none"
    )
    differences: tuple[str, ...] = Field(min_length=1, description="what is known not to match the paper or its code")

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The whole card as labels and texts, in the order to read."""
        scale = "" if self.guidance_scale is None else f"; s = {self.guidance_scale:g}"
        return [
            ("paper", f"{self.paper.title} ({self.paper.short})"),
            ("follows", self.follows),
            ("update", self.update),
            ("equations", self.equations),
            ("w(t)", self.weighting),
            ("CFG", f"{self.guidance}{scale}"),
            *(("differs", difference) for difference in self.differences),
        ]


@lru_cache(maxsize=64)
def load_card(path: Path) -> MethodCard:
    """The card in a TOML file, named after it; a preset takes the paper from the card it is of.

    Raises:
        CardError: If the file is missing, or is not a card.
    """
    try:
        table = {"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8-sig"))}
        if parent := table.get("preset_of"):
            whole = load_card(path.with_name(f"{parent}.toml"))
            table = {"paper": whole.paper, **table}
        return MethodCard.model_validate(table)
    except FileNotFoundError:
        raise CardError(f"{path}: there is no such file") from None
    except tomllib.TOMLDecodeError as error:
        raise CardError(f"{path}: is not valid TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise CardError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def card_of(name: str, method: type) -> MethodCard | None:
    """The card of the method registered under ``name``: its own attribute, or the suite's file; None without either.

    Raises:
        CardError: If the suite's file is not a card.
    """
    own = getattr(method, "card", None)
    if isinstance(own, MethodCard):
        return own
    path = _CARDS / f"{name}.toml"
    return load_card(path) if path.is_file() else None
