"""Errors of prompt sets."""

from __future__ import annotations


class PromptSetError(ValueError):
    """A prompt set that cannot be found or read; the message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
