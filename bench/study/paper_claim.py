"""A paper's claim about a study's arms, which its report tests."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bench.study.section import Section, Slug


class PaperClaim(Section):
    """A sentence of a paper that a score of two arms can confirm or contradict (``reports.claim.Claim``)."""

    paper: Annotated[str, Field(min_length=1)]
    """Name of the paper, the heading above its claims."""
    text: Annotated[str, Field(min_length=1)]
    """The claim in a few words."""
    arm: Slug
    """Label of the arm that it is about."""
    against: Slug
    """Label of the arm that it is compared with."""
    metric: Annotated[str, Field(min_length=1)]
    """Column of scores, such as clip_score."""
    expects: Literal["better", "level"] = "better"
    """better: the arm's score is better than the other's; level: it is not worse."""

    @model_validator(mode="after")
    def _is_about_two_arms(self) -> Self:
        if self.arm == self.against:
            raise ValueError(f"against = {self.against!r}: must be another arm than the claim's own")
        return self
