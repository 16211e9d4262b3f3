"""The claims of papers about a study's arms, which its report tests."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from bench.study.settings import Section, Slug


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


def claims_among(claims: Any, methods: Collection[str]) -> Any:
    """The claims (as a study file has them) without those about arms that are not among ``methods``.

    Values that are no claims are kept, so that the study's validation names them.
    """
    if not isinstance(claims, list):
        return claims
    return [claim for claim in claims if not isinstance(claim, dict) or {*_arms(claim)} <= {*methods}]


def _arms(claim: dict[str, Any]) -> list[str]:
    return [claim[key] for key in ("arm", "against") if isinstance(claim.get(key), str)]
