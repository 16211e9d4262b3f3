"""The texts that a cell asks its prior for, and how much of them the prior's text encoder leaves out."""

from __future__ import annotations

from bench.study.settings import ViewPrompts
from methods.cameras import VIEW_WORDS, with_view
from methods.contracts import LimitedText


def asked_texts(prompt: str, view_prompts: ViewPrompts) -> list[str]:
    """The prompt as a prior gets it: for each side, or alone if sides are not named."""
    return [prompt] if view_prompts == "none" else [with_view(prompt, words) for words in VIEW_WORDS]


def prompt_tokens_cut(reader: LimitedText, prompt: str, view_prompts: ViewPrompts) -> int:
    """Most tokens of the prompt that the text encoder leaves out, over the sides; 0 if the prompt fits."""
    return max(map(reader.tokens_cut, asked_texts(prompt, view_prompts)))
