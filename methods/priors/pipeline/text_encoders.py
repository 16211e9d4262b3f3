"""The text encoders of a pipeline, in memory only while texts are embedded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class TextEncoders:
    """Text encoders by name, which are loaded on demand.

    T5-XXL has 4.7 billion parameters, more than the network that it conditions; a run embeds its texts first and has no
    use for it afterwards.

    Args:
        names: Names of the components.
        load: Loads one onto its device.
        keep: Keeps them whatever ``drop`` says: those of Stable Diffusion 1 and 2 are small.
    """

    def __init__(self, names: Sequence[str], load: Callable[[str], Any], *, keep: bool) -> None:
        self._names, self._load, self._keep = names, load, keep
        self._loaded: dict[str, Any] = {}
        self.loads = 0  # how often they were loaded
        self()  # whether they can be loaded shows before a run and not in its middle

    def __call__(self) -> dict[str, Any]:
        """The networks, loaded again if they were dropped."""
        if not self._loaded:
            self.loads += 1
            self._loaded = {name: self._load(name) for name in self._names}
        return self._loaded

    def drop(self) -> None:
        """Let them go; the next text that is embedded loads them again."""
        if not self._keep:
            self._loaded = {}
