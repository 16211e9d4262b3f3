"""A figure of a study's report."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bench.study.section import Section


class FigureSettings(Section):
    """A figure that the report of a study draws (``reports.figures.spec.FigureSpec``)."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """Name of the figure's files."""
    kind: Literal["sweep", "arms", "error_by_timestep", "pareto", "profiles", "time_to_quality"]
    """sweep: scores against a number that the arms vary; arms: scores of the arms one below the other;
    error_by_timestep: error of the inversion against t; pareto: scores against cost; profiles: share of prompts above
    each score; time_to_quality: scores on the way (needs snapshots)."""
    title: str
    """Heading on the page."""
    caption: str = ""
    """Sentence below the figure."""
    metrics: tuple[str, ...] = ()
    """Columns of scores, or (sweep and arms) optimise_seconds or unet_rows; one panel per column."""
    x: str = ""
    """Path of the varied number in a cell's settings, such as render.resolution, or hyper_parameters.NAME (sweep)."""
    x_label: str = ""
    """Label of the axis of ``x`` (sweep)."""
    logarithmic: bool = False
    """Whether the axis of ``x`` is logarithmic (sweep)."""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind != "error_by_timestep" and not self.metrics:
            raise ValueError(f'metrics: a {self.kind} needs at least one, such as ["quality"]')
        if self.kind == "sweep" and not self.x:
            raise ValueError("x: a sweep needs the path of the varied number, such as render.resolution")
        return self
