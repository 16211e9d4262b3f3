"""Run folders from several machines become one."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from bench.errors import InputError
from bench.output import print_line
from bench.records.atomic import new_folder
from bench.records.check_files import check_files
from bench.records.read_record import read_events, read_record
from bench.records.record import EVENTS_FILE, RECORD_FILE, AnyRecord
from bench.records.store import STUDY_FILE, RunStore, refuse_links
from bench.study.imported_arms import imported_arms, united_renders
from bench.study.pinning import other_inputs
from bench.study.study import Study, parse_study
from methods.weights import file_sha256

#: What narrowed runs of one study may differ in.
_NARROWED = ("methods", "prompt_ids", "seeds")

#: What became of a record: the target had none of its cell, or the same one, or one of the same result, or another.
_Taken = Literal["copied", "there", "again", "set aside"]


def merge_runs(sources: Sequence[RunStore], target: RunStore, console: Console) -> bool:
    """Copy the records of ``sources`` into ``target``, each whole or not at all; the sources stay as they are.

    Two records are of the same cell if their identities are equal.  One that the target has already stays.  Another
    of the same cell with other content is kept in ``set-aside/``, unless it was run twice with one result, the same
    scene and views to the bit: then the first is enough.  Kept scores come along with their
    record; ``scores.parquet`` is for ``sdibench score`` to write, which then computes only what is missing.
    Unfinished cells are left out.  A merge that was cut short goes on where it was.

    Args:
        sources: Run folders of the same study, or of the same study narrowed to some methods, prompts or seeds.
        target: A new folder, or a run folder of such a study: its records come first.
        console: Where differences go.

    Returns:
        Whether every record was right, and those of the same cell have the same result.

    Raises:
        InputError: If the folders hold studies that differ in more.
        StorageError: If the target cannot be written in.
    """
    others = [source for source in sources if source.folder.resolve() != target.folder.resolve()]
    held = [target.read_study()] if (target.folder / STUDY_FILE).is_file() else []
    if not others and not held:
        raise InputError("merge: give at least one run folder to copy from, other than the one of --out")
    study = united([*held, *(source.read_study() for source in others)])
    for source in others:
        refuse_links(source.folder)
    target.check(held[0] if held else study)
    target.write_study(study)
    counts: Counter[_Taken] = Counter()
    wrong = []
    for source in others:
        for folder in source.record_folders():
            try:
                record = read_record(folder)
                check_files(record, folder)
            except InputError as error:
                wrong.append(f"left out: {error}")
                continue
            taken, different = _take(record, folder, source, target)
            counts[taken] += 1
            if taken == "set aside":
                wrong.append(f"differs and is set aside: {folder}: {', '.join(different)}")
    for line in wrong:
        print_line(console, line)
    if counts["again"]:
        words = "cells that were run twice to the same bits, whose times or code differ, and the first is kept"
        print_line(console, f"{study.name}: {words}: {counts['again']}")
    there = counts["there"] + counts["again"]
    words = f"records copied {counts['copied']}, there already {there}, differing or left out {len(wrong)}"
    print_line(console, f"{study.name}: {words}: {target.folder}")
    return not wrong


def united(studies: Sequence[Study]) -> Study:
    """The study that has the methods, prompts and seeds of all; one of them itself where it has them all.

    Raises:
        InputError: If the studies differ in anything else that decides which cells there are, their prompt lists and
            the weights of their priors included; the names of lists and of priors may differ.
    """
    for index, study in enumerate(studies):
        for other in studies[:index]:
            _check_related(other, study)
    if (pinned := next((study.pinned for study in studies if study.pinned), None)) is not None:
        inputs = {key: sha for study in studies if study.pinned for key, sha in study.pinned.inputs.items()}
        own = {label: prior for study in studies if study.pinned for label, prior in study.pinned.arm_priors.items()}
        pinned = pinned.model_copy(update={"arm_priors": own, "inputs": inputs, "imports": united_renders(studies)})
        studies = [study.model_copy(update={"pinned": pinned}) for study in studies]
    first = studies[0]
    methods = {label: study.methods[label] for study in studies for label in study.methods}
    prompt_ids = None
    if all(study.prompt_ids is not None for study in studies):
        prompt_ids = list(dict.fromkeys(prompt for study in studies for prompt in study.prompt_ids or ()))
    seeds = list(dict.fromkeys(seed for study in studies for seed in study.seeds))
    whole_set = _contents(methods, prompt_ids, seeds)
    for study in studies:
        if _contents(study.methods, study.prompt_ids, study.seeds) == whole_set:
            return study
    fields = first.model_dump(mode="json") | {"methods": methods, "prompt_ids": prompt_ids, "seeds": seeds}
    whole = parse_study(fields, where="the studies together")
    base = first.name.removesuffix(f"-{first.key[:6]}")
    return whole.model_copy(update={"name": f"{base}-{whole.key[:6]}"})


def _contents(*fields: Iterable[object] | None) -> list[set[object] | None]:
    return [None if field is None else set(field) for field in fields]


def _check_related(first: Study, study: Study) -> None:
    arms, others = first.cell_fields()["methods"], study.cell_fields()["methods"]
    for label in arms:
        if label in others and arms[label] != others[label]:
            raise InputError(f"{first.name} and {study.name} differ in methods.{label}: they cannot be merged")
    renders, other_renders = imported_arms(first), imported_arms(study)
    for label in (first.methods.keys() & study.methods.keys()) - (arms.keys() & others.keys()):
        mine, theirs = renders.get(label), other_renders.get(label)
        if mine is None or theirs is None or (mine.layout, mine.known) != (theirs.layout, theirs.known):
            raise InputError(f"{first.name} and {study.name} differ in methods.{label}: they cannot be merged")
    narrowed = {name: getattr(first, name) for name in _NARROWED} | {"baseline": first.baseline}
    if study.model_copy(update=narrowed).key == first.key:
        names = other_inputs(first, study)
    else:
        fields, other = first.cell_fields(), study.cell_fields()
        names = [name for name in fields if fields[name] != other[name] and name not in _NARROWED]
    if names:
        raise InputError(f"{first.name} and {study.name} differ in {', '.join(names)}: they cannot be merged")


def _take(record: AnyRecord, folder: Path, source: RunStore, target: RunStore) -> tuple[_Taken, list[str]]:
    """Copy a record where the target has none of the cell; also the files in which the target's own differs."""
    place = target.cell_folder(record.cell)
    if not place.exists():
        _copy(record, folder, place)
        _copy_scores(source, target, record)
        return "copied", []
    different = sorted(_different(record, folder, place))
    if not different:
        _copy_scores(source, target, record)
        return "there", []
    if _has_same_result(record, folder, place, different):
        return "again", different
    _copy(record, folder, target.folder / "set-aside" / f"{place.name}--{file_sha256(folder / RECORD_FILE)[:12]}")
    return "set aside", different


def _has_same_result(record: AnyRecord, folder: Path, place: Path, different: Sequence[str]) -> bool:
    """Whether the target's record of the cell has the same scene, views and steps."""
    if not record.views or not {RECORD_FILE, EVENTS_FILE}.issuperset(different):
        return False
    try:
        return _result(record, folder) == _result(read_record(place), place)
    except InputError:  # the target's is corrupt
        return False


def _result(record: AnyRecord, folder: Path) -> tuple[object, ...]:
    events = read_events(folder) if EVENTS_FILE in record.file_bytes else []
    return record.status, record.divergence, [event.model_copy(update={"seconds": 0.0}) for event in events]


def _different(record: AnyRecord, folder: Path, place: Path) -> Iterator[str]:
    for name in (RECORD_FILE, *record.file_bytes):
        if not (place / name).is_file() or file_sha256(place / name) != file_sha256(folder / name):
            yield name


def _copy(record: AnyRecord, folder: Path, place: Path) -> None:
    """The files that the record names, and no others."""
    if place.exists():
        return
    with new_folder(place) as temporary:
        for name in (*record.file_bytes, RECORD_FILE):
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, temporary / name, follow_symlinks=False)


def _copy_scores(source: RunStore, target: RunStore, record: AnyRecord) -> None:
    name = Path("scores") / record.cell.folder_name
    if (source.folder / name).is_dir() and not (target.folder / name).exists():
        with new_folder(target.folder / name) as temporary:
            for path in (source.folder / name).glob("[!.]*.json"):
                if path.is_file() and not path.is_symlink():
                    shutil.copyfile(path, temporary / path.name)
