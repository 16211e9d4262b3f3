"""The outcome of a test, or the reason why it cannot tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PValue:
    """Two-sided p-value of a test; without one, ``reason`` says why."""

    p: float | None
    """In (0, 1]; None where the data cannot tell."""
    n: int
    """Number of independent things (prompts, cells) behind the test."""
    exact: bool = True
    """Whether all outcomes were enumerated, rather than sampled."""
    reason: str = ""
    """Why there is no p-value; empty where there is."""
