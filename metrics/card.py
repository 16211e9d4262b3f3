"""What a metric tells about itself, printed beside every table: numbers without it cannot be compared."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Column(BaseModel):
    """One column of scores that a metric gives."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, description="column name in the table of scores")
    title: str = Field(min_length=1, description="heading in a report")
    unit: str = Field(description='unit of the stored values: "dB", "%", "" for a plain number')
    higher_is_better: bool
    decimals: int = Field(default=2, ge=0, description="decimals that a table prints")
    scale: float = Field(default=1.0, gt=0, description="factor from a stored value to the printed one")


class MetricCard(BaseModel):
    """The definition of a metric, complete enough to compute it again.

    ``title``, ``unit`` and ``higher_is_better`` are those of the first column; ``columns`` has all of them.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, description="name in the registry")
    title: str = Field(min_length=1, description="what papers call it")
    unit: str = Field(description="unit of the first column")
    higher_is_better: bool = Field(description="of the first column")
    checkpoint: str = Field(min_length=1, description="the model that scores, and the suite it belongs to")
    weights_sha256: str = Field(description="hash of the model's files; empty for a metric without a model")
    preprocessing: str = Field(min_length=1, description="from the PNG of a view to the model's input")
    description: str = Field(min_length=1, description="the formula, and what the number does and does not mean")
    version: int = Field(default=1, ge=1, description="raised by hand when the numbers change")
    columns: tuple[Column, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _first_column_agrees(self) -> Self:
        first = self.columns[0]
        if (first.unit, first.higher_is_better) != (self.unit, self.higher_is_better):
            raise ValueError(f"card {self.name!r}: unit and higher_is_better must be those of column {first.name!r}")
        return self

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in their order."""
        return tuple(column.name for column in self.columns)


def metric_card(*columns: Column, **fields: str | int) -> MetricCard:
    """A card whose unit and direction are those of its first column."""
    first = columns[0]
    values = {"unit": first.unit, "higher_is_better": first.higher_is_better, "columns": columns, **fields}
    return MetricCard.model_validate(values)
