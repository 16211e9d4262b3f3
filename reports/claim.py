"""A claim of a paper, which a study can test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Claim:
    """A paper's claim about a method, as a comparison of two arms in one score."""

    paper: str
    """Name of the paper."""
    text: str
    """The claim in a few words."""
    arm: str
    """Label of the arm that it is about."""
    against: str
    """Label of the arm that it is compared with."""
    metric: str
    """Column of scores."""
    expects: Literal["better", "level"] = "better"
    """better: the arm's score is better than the other's; level: it is not worse."""
