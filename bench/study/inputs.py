"""Files and finished records that scenes start from: found for each cell, and known by their content."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bench.errors import InputError
from bench.study.arms import arms_of
from bench.study.cell import SCENE_FILE
from bench.study.study import Study
from methods.inputs import FileInput, Input, RecordInput, with_inputs
from methods.weights import file_sha256


class CellInput(NamedTuple):
    """An input of a cell."""

    label: str  # of the arm
    prompt_id: str
    seed: int
    field: str  # path of the setting in the scene, such as "initialisation"
    part: Input

    @property
    def key(self) -> str:
        """The key of its hash in the run folder, which does not depend on where the content is."""
        return f"{self.label}--{self.prompt_id}--s{self.seed} {self.field}"


def inputs_of(study: Study) -> Iterator[CellInput]:
    """Yield the inputs of all cells of a study, as its file has them.

    Raises:
        InputError: If a name or a value in the study is wrong.
        PromptSetError: If an arm has an input, and there is no such prompt set.
    """
    for label, arm in arms_of(study).items():
        found: dict[str, Input] = {}
        with_inputs(arm.scene, lambda field, part, found=found: found.setdefault(field, part))  # type: ignore[misc]
        for prompt in study.chosen_prompts() if found else ():
            for seed in study.seeds:
                for field, part in found.items():
                    yield CellInput(label, prompt.id, seed, field, part.for_cell(prompt.id, seed))


def find_inputs(study: Study) -> dict[tuple[str, str, int], dict[str, Input]]:
    """The inputs of the cells by arm, prompt and seed and then by field, with the SHA-256 of their content.

    It is the one that the run folder keeps, if it does; the content is then not looked at.

    Raises:
        InputError: If an input is missing, or is not the one that the study names.
    """
    hashes = cache(_hashed)
    cells: dict[tuple[str, str, int], dict[str, Input]] = {}
    for each in inputs_of(study):
        known = study.pinned.inputs.get(each.key) if study.pinned else None
        where = f"{study.name}: {study.scene_key(each.label)}.{each.field}"
        sha256 = known or hashes(where, each.part, each.prompt_id)
        part = replace(each.part, sha256=sha256)  # type: ignore[type-var]
        cells.setdefault((each.label, each.prompt_id, each.seed), {})[each.field] = part
    return cells


def input_hashes(study: Study) -> dict[str, str]:
    """The SHA-256 of each input by its key, as a run folder keeps it.

    Raises:
        InputError: If an input is missing, or is not the one that the study names.
    """
    return {
        CellInput(*cell, field, part).key: part.sha256
        for cell, parts in find_inputs(study).items()
        for field, part in parts.items()
    }


def other_files(first: Study, second: Study) -> list[str]:
    """Describe how the inputs of two studies with the same cells differ; one that is missing here is passed over."""
    hashes = [_known_hashes(study) for study in (first, second)]
    for key in hashes[0].keys() & hashes[1].keys():
        if hashes[0][key] != hashes[1][key]:
            words = " and ".join(f"{each[key]:.12}" for each in hashes)
            return [f"files or records that its scenes start from ({key}: SHA-256 {words})"]
    return []


def check_unchanged(each: CellInput, where: str) -> Path:
    """The file with the content of a cell's input, which must be the one of its hash.

    Args:
        each: The input.
        where: Beginning of the message of an error, which names the setting.

    Raises:
        InputError: If it is missing, or has changed since the run was started.
    """
    path = content_file(each.part, each.prompt_id, where)
    found = file_sha256(path)
    if found != each.part.sha256:
        raise InputError(
            f"{where}: {path} has SHA-256 {found:.12}, and the run was started with "
            f"{each.part.sha256:.12}; restore that, or give another run folder with --out"
        )
    return path


def content_file(part: Input, prompt_id: str, where: str) -> Path:
    """The file that decides what an input is made of.

    Raises:
        InputError: If there is none, or no single one.
    """
    if isinstance(part, FileInput):
        if not Path(part.path).is_file():
            raise InputError(f"{where}: path: {part.path!r} is not a file; give the path of one that is there")
        return Path(part.path)
    if isinstance(part, RecordInput):
        return _record_folder(part, prompt_id, where) / SCENE_FILE
    raise InputError(f"{where}: {type(part).__name__} is neither a file nor a record")


def _record_folder(part: RecordInput, prompt_id: str, where: str) -> Path:
    name = f"{part.arm}--{prompt_id}--s{part.seed}"
    found = sorted(path.parent for path in Path(part.run).glob(f"cells/{glob.escape(name)}--*/{SCENE_FILE}"))
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise InputError(f"{where}: run: {part.run!r} has {len(found)} records of {name}; keep one of them: {names}")
    if not (Path(part.run) / "cells").is_dir():
        raise InputError(f"{where}: run: {part.run!r} is not a run folder; run its study first, or give another folder")
    arms = sorted({path.parent.name.split("--")[0] for path in Path(part.run).glob(f"cells/[!.]*/{SCENE_FILE}")})
    raise InputError(
        f"{where}: run: {part.run!r} has no finished scene of arm {part.arm!r}, prompt {prompt_id!r} and seed "
        f"{part.seed}; it has some of the arms {', '.join(arms) or 'none'}: run it for this prompt, or set arm or seed"
    )


def _hashed(where: str, part: Input, prompt_id: str) -> str:
    path = content_file(part, prompt_id, where)
    try:
        found = file_sha256(path)
    except OSError as error:
        raise InputError(f"{where}: {path} cannot be read: {error.strerror}") from error
    if part.sha256 and part.sha256 != found:
        raise InputError(f"{where}.sha256 = {part.sha256!r}: is not that of {path}, which is {found!r}")
    return found


def _known_hashes(study: Study) -> Mapping[str, str]:
    if study.pinned is not None:
        return study.pinned.inputs
    try:
        return input_hashes(study)
    except InputError:
        return {}
