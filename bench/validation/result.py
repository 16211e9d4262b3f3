"""The result of a validation: a few kilobytes that someone without this machine can judge."""

from __future__ import annotations

from pydantic import Field

from bench.study.section import Section
from bench.watch.environment import Environment


class Check(Section):
    """One check of a prior on this machine."""

    passed: bool | None
    """Whether its values are what they should be; None if it has nothing to compare them with, or could not be made."""
    note: str
    """The trial and what it is compared with, or why it could not be made."""
    values: dict[str, float | str | None] = Field(default_factory=dict)
    """Measured values by name, with their unit; None where one is not a finite number."""


class Validation(Section):
    """All checks of a prior, with the circumstances."""

    format_version: int = 1
    """Version of this form."""
    prior: str
    """Name of the prior."""
    prior_sha256: str
    """SHA-256 of its weights."""
    seconds: float
    """Time that the checks took, without the loading of the prior."""
    environment: Environment
    """Code, packages and hardware."""
    backends: dict[str, str]
    """The backend that each part of the scene takes here, and why not a better one."""
    checks: dict[str, Check]
    """The checks by name, in the order in which they were made."""

    @property
    def failed(self) -> list[str]:
        """Names of the checks whose values are wrong."""
        return [name for name, check in self.checks.items() if check.passed is False]
