"""A published table: its figures as printed, their source, and what they are figures of."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reports.frames import ReportError

_FOLDER = Path(__file__).parent


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PublishedColumn(_Strict):
    """A column as the source prints it."""

    title: str
    """Heading."""
    unit: str = ""
    """Unit after scaling, which must be that of the report's column of this key."""
    decimals: Annotated[int, Field(ge=0, le=6)]
    """Digits after the mean's point, as printed."""
    sd_decimals: Annotated[int, Field(ge=0, le=6)] | None = None
    """Those of the SD; as the mean's where None."""
    scale: Annotated[float, Field(gt=0)] = 1.0
    """Factor from the printed figure to ``unit`` (100 where fractions stand for per cent)."""
    counts_oom: bool = False
    """Of a share of diverged runs: whether those that ran out of memory are among them."""
    not_comparable: str = ""
    """Why no measured figure can be compared with this column's; empty where one can."""

    @property
    def rounding(self) -> float:
        """Half a unit of the last digit of a printed mean, in ``unit``."""
        return 0.5 * 10.0**-self.decimals * self.scale

    @property
    def sd_rounding(self) -> float:
        """The same of a printed SD."""
        return 0.5 * 10.0 ** -(self.decimals if self.sd_decimals is None else self.sd_decimals) * self.scale


class PublishedFigure(_Strict):
    """One figure as printed, before the column's scale."""

    mean: float
    """The figure."""
    sd: Annotated[float, Field(ge=0)] | None = None
    """What stands behind its ±; None where nothing does."""
    count: Annotated[int, Field(ge=0)] | None = None
    """Of a share: how many of the table's prompts it stands for."""


class PublishedRow(_Strict):
    """One method of the table."""

    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """Labels of a study's arms that reproduce the row."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Optimisation steps; None where the source does not say."""
    figures: dict[str, PublishedFigure]
    """By the column's key."""


class PublishedTable(_Strict):
    """A table of a paper, with all that is known of how its figures came about."""

    name: str
    """Stem of its file."""
    title: str
    """What to call it, such as ``Table 1 of the SDI paper``."""
    source: str
    """Paper, version and place."""
    url: str
    """Where to read it."""
    prior: str
    """Name of the prior that the figures are of."""
    scorers: str
    """Name of the suite of scorers that the figures are of."""
    protocol: str
    """What the figures are means and spreads of, in a sentence."""
    prompts: Annotated[int, Field(ge=1)] | None = None
    """Number of prompts; None where the source does not say."""
    columns: dict[str, PublishedColumn]
    """By the key of the report's column that means the same."""
    rows: dict[str, PublishedRow]
    """By the source's own name of the method."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        labels = [label for row in self.rows.values() for label in row.labels]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice:
            raise ValueError(f"label {twice!r} is that of two rows")
        for name, row in self.rows.items():
            for key, figure in row.figures.items():
                problem = self._problem(key, figure)
                if problem:
                    raise ValueError(f"rows.{name}.figures.{key}: {problem}")
        return self

    def _problem(self, key: str, figure: PublishedFigure) -> str:
        column = self.columns.get(key)
        if column is None:
            return f"no such column; there are {', '.join(self.columns)}"
        if round(figure.mean, column.decimals) != figure.mean:
            return f"{figure.mean} has more than the column's {column.decimals} decimals"
        if figure.count is None:
            return ""
        if self.prompts is None or figure.count > self.prompts:
            return f"count = {figure.count}: the table has {self.prompts or 'an unknown number of'} prompts"
        share = 100 * figure.count / self.prompts
        # both ways of rounding: papers cut off as often as they round (10 of 43 is printed as 23.2)
        if abs(share - figure.mean * column.scale) >= 10.0**-column.decimals:
            return f"{figure.count} of {self.prompts} is {share:.2f} %, not {figure.mean}"
        return ""


def load_published(name: str) -> PublishedTable:
    """The published table called ``name``.

    Raises:
        ReportError: If there is none of that name, or its file is malformed.
    """
    names = sorted(path.stem for path in _FOLDER.glob("*.toml"))
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise ReportError(f"published = {name!r}: no such table; {guess}there are {', '.join(names)}")
    return read_published(_FOLDER / f"{name}.toml")


def read_published(path: Path) -> PublishedTable:
    """The published table in a TOML file.

    Raises:
        ReportError: If it is malformed; the line names file and key.
    """
    try:
        return PublishedTable.model_validate({"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8"))})
    except tomllib.TOMLDecodeError as error:
        raise ReportError(f"{path}: is not valid TOML: {error}") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        raise ReportError(
            f"{path}: {f'{key}: ' if key else ''}{problem['msg'].removeprefix('Value error, ')}"
        ) from error
