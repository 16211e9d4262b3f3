"""The render of another prompt."""

from __future__ import annotations

from dataclasses import dataclass

from metrics.controls import Control, ControlSources, StoredViews, controls


@controls.register("other_prompt")
@dataclass(frozen=True)
class OtherPrompt(Control):
    """The baseline's render of the prompt half the list away: an image of equal quality that shows something else."""

    title = "render of another prompt"
    needs = "completed renders of the study's baseline, of the prompt and of one more"

    def available(self, prompt: str, sources: ControlSources) -> bool:
        """Say whether the prompt has a render, and another prompt has one too."""
        return prompt in sources.renders and len(sources.renders) > 1

    def views(self, prompt: str, sources: ControlSources) -> StoredViews:
        """Return the render of the other prompt, which has its own number, size and cameras.

        Raises:
            ValueError: If ``prompt`` has no render, or no other prompt has one.
        """
        prompts = list(sources.renders)
        if not self.available(prompt, sources):
            raise ValueError(f"other_prompt: needs the render of {prompt!r} and of one more prompt, has {len(prompts)}")
        return sources.renders[prompts[(prompts.index(prompt) + len(prompts) // 2) % len(prompts)]]
