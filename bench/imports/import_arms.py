"""From folders of renders to records: what is missing of a study's imported arms."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from bench.errors import InputError
from bench.formatting import some_of
from bench.imports.asset import Asset, AssetImages
from bench.imports.files import shown
from bench.imports.judging import judge
from bench.imports.layout import Layout
from bench.imports.layouts import layouts
from bench.imports.matching import Matching, match, read_table
from bench.output import print_line
from bench.records.outcome import Images
from bench.records.record import ImportedRecord
from bench.records.store import RunStore
from bench.study.imported_arms import ImportedArm, imported_arms, imported_cells
from bench.study.imported_cell import ImportedCell
from bench.study.pinned import PinnedRenders
from bench.study.pinning import pin
from bench.study.resolve import resolve_part
from bench.study.settings import RENDERS, DivergenceSettings
from bench.study.study import Study
from bench.watch.divergence import Status
from bench.watch.environment import describe_environment
from methods.weights import file_sha256

#: An object's renders by prompt and by the seed of the study that stands for them.
_Found = dict[tuple[str, int], Asset]


@dataclass
class _Written:
    """The studies and records that an import has written, which are deleted if it fails."""

    studies: list[Study] = field(default_factory=list)
    cells: list[ImportedCell] = field(default_factory=list)


def import_arms(study: Study, store: RunStore, console: Console, *, partly: bool = True) -> Study:
    """Write the records of a study's imported arms that are missing.

    Folders are looked at again if they are here: new renders are added, and those that have changed are refused.  The
    run folder names renders once their records are written, so that an arm of which none can be read is not in it, and
    a new folder of which none can be written is not made.  Who is interrupted goes on with what was written.

    Args:
        study: Names the arms; one without imported arms is returned as it is.
        store: The run folder, which is made if there is an imported arm.
        console: Receives a line for renders without a prompt, for prompts without renders, and for rows of a table
            without a folder.
        partly: Whether a new run folder keeps what can be imported where other renders cannot be.

    Returns:
        The study with its renders, as the run folder keeps it.

    Raises:
        InputError: If a folder, a table or an image cannot be used, or renders have changed since they were imported;
            the renders that can be are imported nevertheless, into a new folder only if ``partly``.
        StorageError: If a file cannot be read, or the run folder cannot be written in.
    """
    arms = {label: arm for label, arm in imported_arms(study).items() if not _is_kept(study, label, arm)}
    for label, arm in imported_arms(study).items():
        gone = sum(cell.label == label and not store.has(cell) for cell in imported_cells(study))
        if label not in arms and gone:
            print_line(console, f"{study.name}: {label}: {gone} records are missing, and so is {arm.folder}")
    parts = {label: _layout_of(study, label, arm) for label, arm in arms.items()}
    matchings = {label: _matching(study, arm, parts[label]) for label, arm in arms.items()}
    _check_tables(study, arms, matchings, console)
    found = {label: _find(study, label, arm, matchings[label], console) for label, arm in arms.items()}
    was_there, is_new, written = store.folder.exists(), not store.has_study, _Written()
    try:
        if is_new and arms:  # records without it are no run folder, which who is interrupted goes on with
            _write_study(pin(study), store, written)
        return _import(study, found, parts, store, console, written)
    except Exception:  # not an interrupt, after which the same command goes on
        if is_new and not (partly and written.cells):  # so that the corrected command has no other study in its way
            store.forget(written.studies, written.cells, was_there=was_there)
        raise


def _import(
    study: Study,
    found: Mapping[str, _Found],
    parts: Mapping[str, Layout],
    store: RunStore,
    console: Console,
    written: _Written,
) -> Study:
    """Write the missing records of the renders that were found, by arm, and then the study with them."""
    refused: list[str] = []
    for label in found:
        renders = _described(found[label], _kept(study, label), parts[label], label)
        whole = _pin(pin(study), label, renders)
        missing = [cell for cell in imported_cells(whole) if cell.label == label and not store.has(cell)]
        lines = _write(missing, found[label], parts[label], study.divergence, store, console, written)
        refused += lines.values()
        if left := tuple(each for each in renders if (each.prompt_id, each.seed) not in lines):
            study = _pin(whole, label, left)
            _write_study(study, store, written)
    for line in refused[1:]:
        print_line(console, line)
    if refused:
        raise InputError(f"{refused[0]}{f' (and {len(refused) - 1} more, above)' if len(refused) > 1 else ''}")
    return study


def _write_study(study: Study, store: RunStore, written: _Written) -> None:
    written.studies.append(study)  # before it is written, which may fail after the file has its new content
    store.write_study(study)


def _kept(study: Study, label: str) -> tuple[PinnedRenders, ...]:
    return study.pinned.imports.get(label, ()) if study.pinned else ()


def _is_kept(study: Study, label: str, arm: ImportedArm) -> bool:
    """Whether the run folder has the arm, and its renders are not here to be compared."""
    return bool(_kept(study, label)) and not Path(arm.folder).exists()


def renders_of_a_prompt(study: Study) -> int:
    """The largest number of renders that any imported arm has of one prompt, at least 1.

    Raises:
        InputError: If a folder cannot be used.
    """
    most = 1
    for label, arm in imported_arms(study).items():
        layout = _layout_of(study, label, arm)
        counts: dict[str, int] = {}
        for prompt, _ in _matching(study, arm, layout).found:
            counts[prompt.id] = counts.get(prompt.id, 0) + 1
        most = max([most, *counts.values()])
    return most


def check_arms(study: Study) -> None:
    """Check that the folders of a study's imported arms are there and can be read in their layouts; reads no image.

    Raises:
        InputError: If a layout, a folder or a table cannot be used.
    """
    for label, arm in imported_arms(study).items():
        if not _is_kept(study, label, arm):
            _matching(study, arm, _layout_of(study, label, arm))


def _layout_of(study: Study, label: str, arm: ImportedArm) -> Layout:
    layout: Layout = resolve_part(arm.layout, layouts, where=f"{study.name}: methods.{label}.{RENDERS}")
    return layout


def _matching(study: Study, arm: ImportedArm, layout: Layout) -> Matching:
    table = read_table(Path(arm.table)) if arm.table is not None else None
    return match(layout.assets(Path(arm.folder)), study.chosen_prompts(), table)


def _check_tables(
    study: Study, arms: Mapping[str, ImportedArm], matchings: Mapping[str, Matching], console: Console
) -> None:
    """Name the rows of each table that are of no renders of any arm that is read with it.

    Raises:
        InputError: If that is every row of a table.
    """
    for table in dict.fromkeys(arm.table for arm in arms.values() if arm.table is not None):
        labels = [label for label, arm in arms.items() if arm.table == table]
        rows = list(read_table(Path(table)))
        idle = [row for row in rows if all(row in matchings[label].idle_rows for label in labels)]
        if len(idle) == len(rows):
            folders = " or ".join(arms[label].folder for label in labels)
            raise InputError(
                f"{table}: folder = {shown(rows[0])!r:.80}: no row names renders in {folders}; the column folder must "
                "have the names of folders or files as they are there"
            )
        if idle:
            print_line(console, f"{study.name}: {table}: {_listed('rows whose folder is not there', map(shown, idle))}")


def _listed(words: str, names: Iterable[str]) -> str:
    names = list(names)
    return f"{len(names)} {words}: {some_of(names)}"


def _find(study: Study, label: str, arm: ImportedArm, matching: Matching, console: Console) -> _Found:
    """The renders of each prompt; several of one prompt take the study's seeds in their order."""
    found: _Found = {}
    left_out: list[str] = []
    for prompt, asset in matching.found:
        seed = next((seed for seed in study.seeds if (prompt.id, seed) not in found), None)
        if seed is None:
            left_out.append(shown(asset.place))
        else:
            found[prompt.id, seed] = asset
    if not found:
        raise InputError(
            f"{study.name}: methods.{label}: none of the {len(matching.unmatched)} renders in {arm.folder} is of a "
            f"prompt of {study.prompts}; name the folders by the prompts' ids or texts, or give a table "
            "(CSV: folder,prompt)"
        )
    for words, names in {
        "renders without a prompt, left out": matching.reasons,
        f"more renders of a prompt than the study has seeds ({len(study.seeds)}), left out": left_out,
        "prompts without renders": [prompt.id for prompt in matching.missing],
    }.items():
        if names:
            print_line(console, f"{study.name}: {label}: {_listed(words, names)}")
    return found


def _described(found: _Found, kept: Sequence[PinnedRenders], layout: Layout, label: str) -> tuple[PinnedRenders, ...]:
    """The renders that are kept and those that are new, each with the SHA-256 of its files.

    Raises:
        InputError: If one that is kept has changed.
    """
    known = {(each.prompt_id, each.seed): each for each in kept}
    for (prompt_id, seed), asset in found.items():
        sha256 = _sha256(asset.files)
        before = known.get((prompt_id, seed))
        if before is not None and before.sha256 != sha256:
            raise InputError(
                f"methods.{label}: {asset.place} has changed since it was imported (SHA-256 {sha256:.12}, was "
                f"{before.sha256:.12}); give another label, or another run folder with --out"
            )
        stated = dict(asset.known) | ({} if asset.seed is None else {"seed": asset.seed})
        known[prompt_id, seed] = PinnedRenders(
            prompt_id=prompt_id,
            seed=seed,
            sha256=sha256,
            has_evaluation_cameras=layout.has_our_cameras,
            known=stated,
        )
    return tuple(known.values())


def _sha256(files: Sequence[Path]) -> str:
    """SHA-256 of the contents of several files, in their order."""
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()


def _pin(study: Study, label: str, renders: tuple[PinnedRenders, ...]) -> Study:
    if study.pinned is None:
        raise RuntimeError(f"{study.name}: is not pinned")
    imports = {**study.pinned.imports, label: renders}
    return study.model_copy(update={"pinned": study.pinned.model_copy(update={"imports": imports})})


def _write(
    cells: Sequence[ImportedCell],
    found: _Found,
    layout: Layout,
    bounds: DivergenceSettings,
    store: RunStore,
    console: Console,
    written: _Written,
) -> dict[tuple[str, int], str]:
    """Write the records of the cells; return why others could not be, by prompt and seed."""
    refused: dict[tuple[str, int], str] = {}
    hidden = not console.is_terminal
    for cell in track(cells, "importing renders", console=console, transient=True, disable=hidden):
        key = (cell.prompt_id, cell.seed)
        if key not in found:
            refused[key] = f"{cell.label}: the renders of {cell.prompt_id} (seed {cell.seed}) are not there any more"
            continue
        try:
            images = layout.images(found[key], cell.evaluation)
        except InputError as error:
            refused[key] = str(error)
            continue
        if _write_one(cell, images, bounds, store):
            written.cells.append(cell)
    return refused


def _write_one(cell: ImportedCell, images: AssetImages, bounds: DivergenceSettings, store: RunStore) -> bool:
    """Write a cell's record; return whether it is there, and not that of another process."""
    divergence = judge(images, bounds)
    record = ImportedRecord(
        identity=cell.identity,
        cell=cell,
        status=divergence.status if divergence else Status.COMPLETED,
        divergence=divergence,
        is_opacity_known=images.opacity is not None,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=describe_environment(torch.device("cpu")),
    )
    return store.write_imported(record, Images(list(images.azimuth_deg), images.rgb, images.opacity, images.normals))
