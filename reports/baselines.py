"""The arms that a study's arms are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Baselines:
    """The arm that the others are compared with, and another for some of them."""

    common: str
    """Label of the arm that the others are compared with."""
    own: Mapping[str, str] = field(default_factory=dict)
    """Label of the arm that an arm is compared with, by label; of those not listed it is the common one."""

    def of(self, method: str) -> str:
        """Return the label of the arm that ``method`` is compared with."""
        return self.own.get(method, self.common)

    def others(self, methods: Sequence[str]) -> list[str]:
        """Return all labels but the common baseline's, in their order."""
        return [method for method in methods if method != self.common]

    @property
    def name(self) -> str:
        """The baseline in a sentence about any arm."""
        return "its baseline" if self.own else self.common

    @property
    def title(self) -> str:
        """The baseline in a heading about all arms."""
        return "the arms' baselines" if self.own else self.common

    @property
    def listed(self) -> list[str]:
        """A sentence that names the baseline of each arm, if they differ."""
        if not self.own:
            return []
        arms = {other: [arm for arm, its in self.own.items() if its == other] for other in self.own.values()}
        own = ", ".join(f"{other} of {' and '.join(of)}" for other, of in arms.items())
        return [f"Baselines: {own}, and {self.common} of the others."]
