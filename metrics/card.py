"""Metadata of a metric, printed with every table: numbers without it cannot be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from importlib.metadata import version
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Column(BaseModel):
    """One column of scores of a metric.

    Raises:
        ValueError: If there is a target without the direction, or the direction without a target, or a geometric mean
            without a positive target.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, description="column name in the table of scores")
    title: str = Field(min_length=1, description="heading in a report")
    unit: str = Field(default="", description='unit of the printed values: "dB", "%", "" for a plain number')
    direction: Literal["higher", "lower", "target"] = Field(default="higher", description="which values are better")
    target: float | None = Field(default=None, description="the best printed value, for the direction target")
    decimals: int = Field(default=2, ge=0, description="decimals that a table prints")
    scale: float = Field(default=1.0, gt=0, description="factor from a stored value to the printed one")
    mean: Literal["arithmetic", "geometric"] = Field(
        default="arithmetic",
        description="how prompts are averaged; geometric for a ratio, which is also compared by its logarithm",
    )
    group: Literal["image", "truth", "spectrum"] = Field(
        default="image",
        description="whether it judges the images themselves or their distance to the truth, or is one point of a "
        "curve, which only a figure shows; the columns of the curve are in the order of its axis",
    )
    headline: bool = Field(
        default=True, description="whether tables and figures show it, or only files and prompt pages"
    )

    @model_validator(mode="after")
    def _has_a_target_if_it_needs_one(self) -> Self:
        if (self.direction == "target") != (self.target is not None):
            raise ValueError(f"column {self.name!r}: direction = 'target' and a target belong together")
        if self.mean == "geometric" and (self.target is None or self.target <= 0):
            raise ValueError(f"column {self.name!r}: mean = 'geometric' is for ratios, which need a target above 0")
        return self

    @property
    def fact(self) -> tuple[str, str]:
        """The name, and what its values mean."""
        better = f"{self.target:g} is best" if self.target is not None else f"{self.direction} is better"
        shown = "" if self.headline else "; in files and on prompt pages only"
        shown = "; in files and a figure only" if self.group == "spectrum" else shown
        return self.name, f"{' '.join(filter(None, (self.title, self.unit)))}: {better}{shown}"


_MOST_NAMES = 5  # of prompts in a sentence

#: Fields of a card that decide what a score is.
_DEFINITION = ("name", "version", "checkpoint", "weights_sha256", "preprocessing", "uses_candidates", "candidates")


#: Packages whose versions have changed scores: Pillow 9.4 gave .279 where 8.4 had given .266 (j-min/DSG#6).
_PACKAGES = ("pillow", "torch", "torchvision")


class MetricCard(BaseModel):
    """The definition of a metric, complete enough to compute it again."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, description="name in the registry")
    title: str = Field(min_length=1, description="name in papers")
    checkpoint: str = Field(min_length=1, description="the model that scores, and the suite it belongs to")
    weights_sha256: str = Field(default="", description="hash of the model's files; empty for a metric without a model")
    preprocessing: str = Field(min_length=1, description="from the PNG of a view to the model's input")
    description: str = Field(min_length=1, description="the formula, and what the number does and does not mean")
    version: int = Field(default=1, ge=1, description="raised by hand when the numbers change")
    columns: tuple[Column, ...] = Field(min_length=1)
    uses_candidates: bool = Field(default=False, description="whether the number depends on how many texts there are")
    candidates: int | None = Field(default=None, ge=1, description="how many different texts there were, if it does")
    candidates_sha256: str = Field(default="", description="hash of these texts, in any order; empty if unknown")
    uses_references: bool = Field(
        default=False, description="whether the number is relative to the truth or, without one, to the prior's images"
    )
    uses_samples: bool = Field(
        default=False, description="whether the number compares with the prior's images, also where the truth is known"
    )
    uses_seeds: bool = Field(default=False, description="whether the number compares with the arm's other seeds")
    prompts_cut: tuple[int, int] | None = Field(
        default=None, description="how many prompts of how many are too long for the model, and are not read to the end"
    )
    packages: str = Field(
        default="", description="versions of the packages that the scores were made with, or last read from a cache"
    )
    prompts_cut_ids: tuple[str, ...] = Field(default=(), description="which ones; empty in tables of earlier versions")
    suite: str = Field(default="", description="the suite that it was scored with; empty in tables of earlier versions")

    def scored_among(self, candidates: Collection[str], suite: str) -> Self:
        """Return the card to be printed with scores that were computed with these candidates by models of a suite."""
        packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
        found: dict[str, object] = {"packages": packages, "suite": suite}
        if self.uses_candidates:
            different = sorted(set(candidates))
            digest = hashlib.sha256(json.dumps(different).encode()).hexdigest()
            found |= {"candidates": len(different), "candidates_sha256": digest}
        return self.model_copy(update=found)

    def as_stand_in(self) -> Self:
        """Return the card for a model that takes the place of the metric's own and was not trained as it was."""
        columns = tuple(
            column.model_copy(update={"title": f"{column.title} (stand-in)", "headline": False})
            for column in self.columns
        )
        description = (
            "A stand-in that no preferences of people trained: its values show that the path runs, and nothing else; "
            f"no table or figure shows them. The metric itself: {self.description}"
        )
        return self.model_copy(update={"columns": columns, "description": description})

    def difference(self, other: MetricCard, column: str) -> tuple[str, object, object] | None:
        """Find a field by which scores of ``column`` mean another thing under ``other``, with both values.

        Titles and texts may differ.  Cards without the hash of their candidates have the same ones if their numbers
        agree.
        """
        both_known = bool(self.candidates_sha256 and other.candidates_sha256)
        fields = [*_DEFINITION, *(["candidates_sha256"] if both_known else [])]
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in fields]
        own, others = (next(each for each in card.columns if each.name == column) for card in (self, other))
        pairs += [
            (name, getattr(own, name), getattr(others, name)) for name in ("unit", "scale", "direction", "target")
        ]
        return next((pair for pair in pairs if pair[1] != pair[2]), None)

    def reading(self, cut: Mapping[str, int]) -> Self:
        """Return the card to be printed with scores of prompts, given the tokens that are cut, by the prompt's id."""
        ids = tuple(prompt_id for prompt_id, tokens in cut.items() if tokens)
        return self.model_copy(update={"prompts_cut": (len(ids), len(cut)), "prompts_cut_ids": ids})

    @property
    def cut(self) -> str:
        """A sentence without a full stop about prompts that are not read to the end; "" if there are none."""
        if not self.prompts_cut or not self.prompts_cut[0]:
            return ""
        count, of = self.prompts_cut
        shown = self.prompts_cut_ids[:_MOST_NAMES]
        more = f" and {count - len(shown)} more" if count > len(shown) else ""
        names = f": {', '.join(shown)}{more}" if shown else ""
        return f"{count} of {of} prompts are too long for its text encoder, which does not read their end{names}"

    @property
    def cut_of_columns(self) -> str:
        """The sentence with the titles of the columns that it is about; "" if there is none."""
        titles = ", ".join(column.title for column in self.columns if column.group != "spectrum")
        return f"{titles}: {self.cut}" if self.cut else ""

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in their order."""
        return tuple(column.name for column in self.columns)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The whole card as labels and texts, in the order to read; labels without a text are left out."""
        chance = f"{self.candidates}, so chance is {100 / self.candidates:.1f} %" if self.candidates else ""
        facts = [
            ("metric", f"{self.title} ({self.name}), version {self.version}"),
            ("definition", self.description),
            *(column.fact for column in self.columns),
            ("candidates", chance),
            ("prompts", f"{self.cut}" if self.cut else ""),
            ("checkpoint", self.checkpoint),
            ("weights SHA-256", self.weights_sha256),
            ("preprocessing", self.preprocessing),
            ("packages", f"{self.packages}; scores that were cached before may be of others" if self.packages else ""),
        ]
        return [(label, text) for label, text in facts if text]
