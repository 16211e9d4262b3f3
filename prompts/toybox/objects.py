"""An object of the toybox: a kind in a colour with a pattern, and the split into seen and held-out ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product

from prompts.toybox.kinds import KINDS

#: The colour words of the captions, red green blue in [0, 1].
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.84, 0.10, 0.12),
    "orange": (0.96, 0.50, 0.06),
    "yellow": (0.95, 0.86, 0.12),
    "green": (0.13, 0.60, 0.22),
    "blue": (0.13, 0.33, 0.86),
    "purple": (0.50, 0.18, 0.70),
    "pink": (0.97, 0.52, 0.74),
}

#: The pattern words; all but the first show the colour together with white.
PATTERNS = ("plain", "striped", "dotted", "checked")


@dataclass(frozen=True)
class ToyObject:
    """One object with known ground truth.

    Raises:
        ValueError: If an attribute is not in the toybox.
    """

    kind: str
    colour: str
    pattern: str

    def __post_init__(self) -> None:
        for field, value, known in (
            ("kind", self.kind, KINDS),
            ("colour", self.colour, COLOURS),
            ("pattern", self.pattern, PATTERNS),
        ):
            if value not in known:
                raise ValueError(f"{field}: {value!r} is not in the toybox, which has {', '.join(known)}")

    @property
    def name(self) -> str:
        """Name such as ``red striped car``; a plain object has colour and kind only."""
        return " ".join(word for word in (self.colour, self.pattern, self.kind) if word != "plain")


def all_objects() -> list[ToyObject]:
    """List every combination of kind, colour and pattern, in a fixed order."""
    return [ToyObject(*attributes) for attributes in product(KINDS, COLOURS, PATTERNS)]


def is_held_out(toy: ToyObject) -> bool:
    """Say whether the toybox's models were trained without this combination (about one in eight)."""
    digest = hashlib.sha256(f"toybox-split-1 {toy.kind} {toy.colour} {toy.pattern}".encode()).digest()
    return digest[0] < 32
