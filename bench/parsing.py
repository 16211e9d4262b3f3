"""From the words of a command line to a command; what is wrong with them is one line."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_type_hints

import tyro

from bench.errors import InputError
from bench.ranges import check_ranges
from methods.registry import nearest

#: The kinds of number by the word that --help shows for a value.
_NUMBERS: Mapping[str, tuple[str, type]] = {"INT": ("a whole number", int), "FLOAT": ("a number", float)}

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_RULE = re.compile("─{8,}|-{8,}")


def parse(commands: Any, arguments: Sequence[str] | None, *, description: str) -> Any:
    """Make the command that a command line asks for.

    Args:
        commands: The union of the commands, each a dataclass annotated with its name.
        arguments: The words; without them, those that the program was started with.
        description: The first line of ``--help``.

    Returns:
        The command, with ``~`` expanded in every text and path: a shell leaves it in ``--out=~/runs``.

    Raises:
        InputError: If there is no such command or option, one that it needs is missing, or a value is wrong.
        SystemExit: After ``--help``.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not {"-h", "--help"} & set(given):
        _check_names(commands, given)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            command, unknown = tyro.cli(
                commands,
                prog="sdibench",
                description=description,
                args=given,
                config=(tyro.conf.FlagCreatePairsOff,),
                return_unknown_args=True,
            )
    except SystemExit as end:
        if not end.code:
            raise
        raise InputError(_in_one_line(said.getvalue(), given)) from None
    sys.stderr.write(said.getvalue())
    if unknown:
        raise InputError(f"{given[0]}: {unknown[0]!r} is one too many; see sdibench {given[0]} --help")
    command = _expanded(command)
    check_ranges(command)
    return command


def options_of(command: type) -> Iterator[tuple[str, bool]]:
    """The options of a command, without dashes, each with whether it takes any number of values."""
    for name, hint in get_type_hints(command, include_extras=True).items():
        if dataclasses.is_dataclass(part := next(iter(get_args(hint)), None)):
            yield from options_of(part)  # type: ignore[arg-type]
        elif tyro.conf.Positional not in get_args(hint):
            names = [own for part in get_args(hint) if isinstance(own := getattr(part, "name", None), str)]
            yield names[0] if names else name.replace("_", "-"), ... in get_args(hint)


def _check_names(commands: Any, given: Sequence[str]) -> None:
    """Refuse a command or an option that is not there; tyro would name the options of all commands."""
    known = {part[1].name: part[0] for part in map(get_args, get_args(commands))}
    if not given:
        raise InputError(f"give a command: {', '.join(known)}; sdibench --help says what they do")
    if given[0] not in known:
        what = "option" if given[0].startswith("-") else "command"
        raise InputError(f"unknown {what} {given[0]!r} in place of a command: {nearest(given[0], known)}")
    options = {f"--{name}": is_list for name, is_list in options_of(known[given[0]])}
    for word, following in pairwise([*given[1:], "--"]):
        option = word.partition("=")[0].replace("_", "-")
        if option.startswith("--") and option not in options and not option.startswith("--tyro-"):
            raise InputError(f"{given[0]}: unknown option {word.partition('=')[0]!r}: {nearest(option, options)}")
        if options.get(option) and "=" not in word and following.startswith("--"):  # which tyro takes for all of them
            raise InputError(f"{option}: needs a value; see sdibench {given[0]} --help")


def _in_one_line(box: str, given: Sequence[str]) -> str:
    """The message in one of tyro's boxes: a title, the message, a rule, a text of help.

    Where the output is not in UTF-8, there is no frame and a rule below the title.
    """
    _title, *lines = _COLOURS.sub("", box).splitlines() or [""]
    whole = " ".join(" ".join(line.strip("│ ") for line in lines if not line.startswith("╰")).split())
    message, *more = [part.strip() for part in _RULE.split(whole) if part.strip()] or [""]
    if found := re.match(r"Error parsing (--[\w-]+):", message):
        return _bad_number(found[1], " ".join(more), given) or message
    if found := re.match(r"invalid choice '(.*)' for argument '(.*?)'\. Expected one of \((.*)\)", message):
        choices = re.findall(r"'([^']+)'", found[3])
        return f"{found[2]} = {found[1]!r}: {nearest(found[1], [choice for choice in choices if choice != 'None'])}"
    if found := re.match(r"Missing value for argument '(.*?)'", message):
        return f"{found[1]}: needs a value; see sdibench {given[0]} --help"
    if found := re.match(r"Missing from sdibench [\w-]+: (.*)", message):
        what = re.sub(r"\.? \(required\)", ";", found[1]).rstrip(";")
        return f"{given[0]}: missing: {what}; see sdibench {given[0]} --help"
    return message


def _bad_number(option: str, help_text: str, given: Sequence[str]) -> str | None:
    """The line about an option that takes a number and was given a word; None if there is none."""
    words = [word for each in given for word in (each.split("=", 1) if each.startswith("--") else [each])]
    places = [place for place, word in enumerate(words) if word.replace("_", "-") == option]
    for metavar, (what, kind) in _NUMBERS.items():
        if places and re.search(rf"\b{metavar}\b", help_text):
            for word in words[places[-1] + 1 :]:
                try:
                    kind(word)
                except ValueError:
                    return f"{option} = {word!r}: must be {what}"
    return None


def _expanded(command: Any) -> Any:
    fields = {field.name: getattr(command, field.name) for field in dataclasses.fields(command)}
    return dataclasses.replace(command, **{name: _expand(value) for name, value in fields.items()})


def _expand(value: Any) -> Any:
    # not Path.expanduser, which raises for an unknown user
    if isinstance(value, tuple):
        return tuple(map(_expand, value))
    return type(value)(os.path.expanduser(value)) if isinstance(value, str | Path) else value  # noqa: PTH111
