"""Prompt sets as versioned data, and the toybox they can have their ground truth in."""

from prompts.errors import PromptSetError
from prompts.prompt_set import Prompt, PromptSet, Truth, load_prompt_set, prompt_set_names

__all__ = ["Prompt", "PromptSet", "PromptSetError", "Truth", "load_prompt_set", "prompt_set_names"]
