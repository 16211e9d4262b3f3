"""Prompt sets: TOML files with an order, a source, a licence and a hash."""

from __future__ import annotations

import difflib
import hashlib
import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prompts.errors import PromptSetError
from prompts.prompt_ids import ID_PATTERN, ID_RULE, LONGEST_ID
from prompts.prompt_list import LISTS, PROMPT_FILES, read_prompt_list
from prompts.toybox.kinds import KINDS
from prompts.toybox.objects import COLOURS, PATTERNS, ToyObject, all_objects

_FOLDER = Path(__file__).parent


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Truth(_Frozen):
    """Attributes of the object of a toybox prompt; an attribute that is None is open."""

    kind: str
    """One of ``prompts.toybox.KINDS``."""
    colour: str | None = None
    """One of ``prompts.toybox.COLOURS``."""
    pattern: str | None = None
    """One of ``prompts.toybox.PATTERNS``."""

    @model_validator(mode="after")
    def _known(self) -> Truth:
        for value, known in ((self.kind, KINDS), (self.colour, COLOURS), (self.pattern, PATTERNS)):
            if value is not None and value not in known:
                raise ValueError(f"{value!r} is not in the toybox, which has {', '.join(known)}")
        return self

    def objects(self) -> list[ToyObject]:
        """List every object that is a right answer."""
        return [
            toy
            for toy in all_objects()
            if toy.kind == self.kind and self.colour in (None, toy.colour) and self.pattern in (None, toy.pattern)
        ]


class Prompt(_Frozen):
    """One prompt."""

    id: str = Field(pattern=ID_PATTERN, max_length=LONGEST_ID)
    """Stable name, which is part of file names."""
    text: str = Field(min_length=1)
    """The prompt, verbatim."""
    held_out: bool = False
    """Whether the suite's own models were trained without what it describes."""
    truth: Truth | None = None
    """The right answers, if they are known."""


class PromptSet(_Frozen):
    """An ordered set of prompts."""

    name: str
    """File name without its extension."""
    version: int = Field(ge=1)
    """Raised when a prompt changes."""
    source: str
    """Origin of the prompts."""
    licence: str
    """Licence of the prompts."""
    sha256: str
    """Hash of the file."""
    prompts: tuple[Prompt, ...] = Field(min_length=1)
    """Prompts in the order of the source."""

    @model_validator(mode="after")
    def _distinct(self) -> PromptSet:
        ids = [prompt.id for prompt in self.prompts]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"prompt id {twice[0]!r} is there twice")
        return self

    def __getitem__(self, prompt_id: str) -> Prompt:
        """Look a prompt up by its id.

        Raises:
            PromptSetError: If there is none; the message has the nearest ids.
        """
        for prompt in self.prompts:
            if prompt.id == prompt_id:
                return prompt
        raise PromptSetError(_unknown(f"prompt of set {self.name!r}", prompt_id, [p.id for p in self.prompts]))


def prompt_set_names() -> list[str]:
    """List the prompt sets that come with the suite."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_prompt_set(name: str) -> PromptSet:
    """Load a prompt set by its name, or from a file: TOML like the suite's own, or a list (``prompts.prompt_list``).

    Raises:
        PromptSetError: If there is no such set or the file is malformed.
    """
    path = _find(name)
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")  # without the byte-order mark of some editors
        if (ending := path.suffix.lower()) in LISTS:
            prompts = read_prompt_list(text, ending, str(path))
            fields = {"version": 1, "source": str(path), "licence": "unknown (local file)", "prompts": prompts}
        else:
            fields = _parse(text, path)
        return PromptSet(name=path.stem, sha256=hashlib.sha256(content).hexdigest(), **fields)
    except OSError as error:
        raise PromptSetError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise PromptSetError(f"{path}: is not UTF-8 ({error}); save it as UTF-8") from None
    except TypeError as error:
        raise PromptSetError(f"{path}: is not a prompt set in TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the set"
        message = ID_RULE if first["type"] == "string_pattern_mismatch" else first["msg"]
        raise PromptSetError(f"{path}: {where}: {message} (found {first['input']!r:.80})") from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not TOML, a number of too many digits; nested too deep
        raise PromptSetError(f"{path}: is not a prompt set in TOML: {error}") from None


def _find(name: str) -> Path:
    """The file of a prompt set.

    Raises:
        PromptSetError: If there is none, or it is not of a kind that is read.
    """
    shipped = _FOLDER / f"{name}.toml"
    path = Path(os.path.expanduser(name))  # noqa: PTH111, which leaves the ~ of an unknown user as it is
    if path.suffix.lower() in PROMPT_FILES:
        if path.is_file():
            return path
        why = "is a folder" if path.is_dir() else "there is no such file"
        raise PromptSetError(f"unknown prompt set {name!r}: {path}: {why}")
    if name in prompt_set_names():
        return shipped
    if path.exists():
        raise PromptSetError(
            f"unknown prompt set {name!r}: {'a folder' if path.is_dir() else 'the file'} is there, but the name of a "
            f"file with prompts must end in one of {', '.join(PROMPT_FILES)}"
        )
    raise PromptSetError(_unknown("prompt set", name, prompt_set_names()))


def _unknown(what: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(known)}"
    return f"unknown {what} {name!r}: {hint}"
