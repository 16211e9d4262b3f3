"""A published table: its numbers as printed, their source and their protocol."""

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
    """Digits after the SD's point; as the mean's if None."""
    scale: Annotated[float, Field(gt=0)] = 1.0
    """Factor from the printed number to ``unit`` (100 for fractions that stand for per cent)."""
    counts_oom: bool = False
    """Whether a share of diverged runs includes those that ran out of memory."""
    not_comparable: str = ""
    """Reason why no measured number can be compared with this column's; empty if one can."""

    @property
    def rounding(self) -> float:
        """Half a unit of the last digit of a printed mean, in ``unit``."""
        return 0.5 * 10.0**-self.decimals * self.scale

    @property
    def sd_rounding(self) -> float:
        """Half a unit of the last digit of a printed SD, in ``unit``."""
        return 0.5 * 10.0 ** -(self.decimals if self.sd_decimals is None else self.sd_decimals) * self.scale


class PublishedFigure(_Strict):
    """One number as printed, before the column's scale."""

    mean: float
    """The printed number."""
    sd: Annotated[float, Field(ge=0)] | None = None
    """The printed ±; None without one."""
    count: Annotated[int, Field(ge=0)] | None = None
    """Number of the table's prompts that a share stands for."""


class PublishedRow(_Strict):
    """One method of the table."""

    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    """Labels of a study's arms that reproduce the row."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Optimisation steps; None if the source does not give them."""
    figures: dict[str, PublishedFigure]
    """Numbers by the column's key."""


class PublishedTable(_Strict):
    """A table of a paper, with everything that is known about its numbers."""

    name: str
    """Stem of the file's name."""
    title: str
    """Title, such as ``Table 1 of the SDI paper``."""
    source: str
    """Paper, version and place."""
    url: str
    """Address of the paper."""
    prior: str
    """Name of the prior behind the numbers."""
    scorers: str
    """Name of the suite of scorers behind the numbers."""
    protocol: str
    """Definition of the means and spreads, in a sentence."""
    prompts: Annotated[int, Field(ge=1)] | None = None
    """Number of prompts; None if the source does not give it."""
    columns: dict[str, PublishedColumn]
    """Columns by the key of the report's column with the same meaning."""
    rows: dict[str, PublishedRow]
    """Rows by the source's own name of the method."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        labels = [label for row in self.rows.values() for label in row.labels]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice:
            raise ValueError(f"label {twice!r} belongs to two rows")
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
        # rounded or cut off: papers do both (10 of 43 is printed as 23.2)
        if abs(share - figure.mean * column.scale) >= 10.0**-column.decimals:
            return f"{figure.count} of {self.prompts} is {share:.2f} %, not {figure.mean}"
        return ""


def load_published(name: str) -> PublishedTable:
    """Load a published table by its name.

    Raises:
        ReportError: If there is no such table, or its file is malformed.
    """
    names = sorted(path.stem for path in _FOLDER.glob("*.toml"))
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise ReportError(f"published = {name!r}: no such table; {guess}known: {', '.join(names)}")
    return read_published(_FOLDER / f"{name}.toml")


def read_published(path: Path) -> PublishedTable:
    """Read a published table from a TOML file.

    Raises:
        ReportError: If it is malformed; the message names file and key.
    """
    try:
        return PublishedTable.model_validate({"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8-sig"))})
    except tomllib.TOMLDecodeError as error:
        raise ReportError(f"{path}: is not valid TOML: {error}") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        raise ReportError(
            f"{path}: {f'{key}: ' if key else ''}{problem['msg'].removeprefix('Value error, ')}"
        ) from error
