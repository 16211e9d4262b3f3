"""Command ``fetch``: download the weights of a suite, so that everything else runs without a network."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from rich.console import Console

from bench.commands.sources import Source, optional_roles, sources_of
from bench.errors import InputError
from bench.output import print_line
from bench.watch.machine import free_disk_bytes
from methods.atomic import replace_file
from methods.paths import expand_path
from methods.priors.pipeline.folder import files_in
from methods.priors.pipeline.hub import Origin
from methods.priors.pipeline.place import snapshot_in
from methods.weights import CARD, WeightsError, file_sha256, read_card, reverify_weights, write_card
from methods.weights_file import check_file


def fetch_suite(name: str, console: Console, *, mirror: Path | None = None, only: Collection[str] = ()) -> None:
    """Bring all weights of a suite into their folders, check every byte, open them, and write a card for each.

    Whatever is already there and right is left alone; an interrupted download continues where it stopped.

    Args:
        name: A suite, its TOML file, or a repository of the hub with a prior.
        console: Receives a line for each role.
        mirror: A folder to copy from instead of downloading: one with a subfolder for each role, such as another
            machine's weights, or the files of the only role themselves.
        only: Roles to fetch; all but the optional ones if it is empty.

    Raises:
        InputError: If there is no such suite or role, or the mirror has no such folder.
        WeightsError: If files are unavailable, of another kind, not whole, or not the ones that a card names.
    """
    chosen = sources_of(name, only)
    for source, folder in chosen:
        origin = source.origin()
        if origin.is_local and mirror is None:
            here = Path(origin.repository)
            names = source.needed(files_in(here), str(here))
            _check(source, here, str(here))
            _check_files(here, names)
            _open(source, here)
            print_line(console, f"{source.role}: {here} is used where it is")
            continue
        if origin.is_local:
            raise InputError(f"--from {mirror}: the folder {origin.repository} is set already, and used where it is")
        if not _is_there(folder, origin, console):
            fields = {**source.card, "repository": origin.repository, "asked_revision": origin.revision}
            if mirror is None:
                _finish(source, folder, {**fields, "revision": _download(source, origin, folder)})
            else:
                _copy(source, _part(mirror, source, len(chosen)), folder, fields)
        sha256 = reverify_weights(folder)
        print_line(console, f"{source.role}: right, SHA-256 {sha256[:12]}, in {folder}")
    if not only and (left := optional_roles(name)):
        print_line(console, f"left out: {', '.join(left)}; for metrics that need them: sdibench fetch {name} --only …")


def _is_there(folder: Path, origin: Origin, console: Console) -> bool:
    if not (folder / CARD).is_file():
        return False
    card = read_card(folder)
    kept = card.get("repository"), card.get("asked_revision")
    if kept[0] != origin.repository or origin.revision not in (None, kept[1], card.get("revision")):
        raise WeightsError(
            f"{folder}: holds {kept[0]}@{card.get('revision')}, not {origin.repository}"
            f"{f'@{origin.revision}' if origin.revision else ''}; remove the folder to fetch it again"
        )
    names = list(card["files"])
    try:
        reverify_weights(folder)
        _check_files(folder, names)
    except WeightsError as error:
        print_line(console, f"{error}; fetching it again")
    else:
        return True
    for name in names:
        if (folder / name).is_file() and file_sha256(folder / name) != card["files"][name]:
            (folder / name).unlink()
    try:
        _check_files(folder, [name for name in names if (folder / name).is_file()])
    except WeightsError:  # the card of an earlier version, which did not open what it fetched
        (folder / CARD).unlink()
    return False


def _download(source: Source, origin: Origin, folder: Path) -> str:
    """Fetch the files from the hub, and return the commit that they are of."""
    from huggingface_hub import HfApi, snapshot_download

    repository = origin.repository
    try:
        known = read_card(folder).get("revision") if (folder / CARD).is_file() else None
        info = HfApi().model_info(repository, revision=known or origin.revision, files_metadata=True)
        files = {file.rfilename: file for file in info.siblings or ()}
        first, needed = source.first(list(files), repository), source.needed(list(files), repository)
        _demand_room(folder, sum(files[name].size or 0 for name in needed))
        for names in (first, needed):
            if names:
                snapshot_download(repository, revision=info.sha, local_dir=folder, allow_patterns=names)
            if names is first:
                _check(source, folder, repository)
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError(_explain(error, repository, source.variable)) from error
    for name in needed:
        stored = files[name].lfs
        if stored is not None and file_sha256(folder / name) != stored.sha256:
            (folder / name).unlink()
            raise WeightsError(f"{repository}: {name} came with another SHA-256 than the hub's; fetch it again")
    _check_files(folder, needed)
    return str(info.sha)


def _explain(error: Exception, repository: str, variable: str) -> str:
    from huggingface_hub.errors import OfflineModeIsEnabled, RepositoryNotFoundError, RevisionNotFoundError

    instead = "or give --from FOLDER"
    match error:
        case OfflineModeIsEnabled():
            return f"{repository}: HF_HUB_OFFLINE is set, so nothing can be downloaded; unset it, {instead}"
        case RepositoryNotFoundError():
            other = f"set {variable} to another repository, " if variable else ""
            return (
                f"{repository}: the hub has no such repository, or asks for a login (hf auth login); {other}{instead}"
            )
        case RevisionNotFoundError():
            return f"{repository}: there is no such revision"
    why = " ".join(str(error).split())[:200] or type(error).__name__
    return f"{repository}: the download failed ({why}); the same command goes on from there, {instead}"


def _copy(source: Source, mirror: Path, folder: Path, fields: dict[str, Any]) -> None:
    """Copy the files from a folder; one with a card is copied as its card says."""
    if (mirror / CARD).is_file():
        reverify_weights(mirror)
        names = list(read_card(mirror)["files"])
        if any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in names):
            raise WeightsError(f"{mirror / CARD}: lists files outside its folder")
    else:
        names = source.needed(files_in(mirror), str(mirror))
    _check(source, mirror, str(mirror))
    _check_files(mirror, names)
    _demand_room(folder, sum((mirror / name).stat().st_size for name in names))
    for name in names:
        with replace_file(folder / name) as temporary:
            shutil.copyfile(mirror / name, temporary)
    if (mirror / CARD).is_file():
        kept = {key: value for key, value in read_card(mirror).items() if key != "files"}
        _open(source, folder)
        _write_card(source, folder, {**fields, **kept})
    else:
        _finish(source, folder, {**fields, "revision": None, "copied_from": str(mirror.absolute())})


def _finish(source: Source, folder: Path, fields: dict[str, Any]) -> None:
    if source.finish is not None:
        published = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name != CARD]
        fields = {**fields, "converted_from": {path.name: file_sha256(path) for path in published}}
        source.finish(folder)
    _open(source, folder)
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub client's notes on an unfinished download
    _write_card(source, folder, fields)


def _write_card(source: Source, folder: Path, fields: dict[str, Any]) -> None:
    """Write the card, or compare the files with the one that is there: they were fetched again to be the same."""
    if (folder / CARD).is_file():
        reverify_weights(folder)
    else:
        known = {} if source.describe is None else source.describe(folder)
        write_card(folder, **{**known, **fields})


def _check(source: Source, folder: Path, where: str) -> None:
    if source.check is not None:
        source.check(folder, where)


def _check_files(folder: Path, names: Iterable[str]) -> None:
    """Check that each file is what its name says, and whole; a card must not vouch for anything else."""
    for name in names:
        check_file(folder / name)


def _open(source: Source, folder: Path) -> None:
    if source.open is not None:
        source.open(folder)


def _part(mirror: Path, source: Source, parts: int) -> Path:
    given = expand_path(mirror)
    if not given.is_dir():
        why = "is a file; name the folder that it is in" if given.exists() else "there is no such folder"
        raise InputError(f"--from {mirror}: {why}")
    inner = given / source.role
    if inner.is_dir():
        return snapshot_in(inner)
    if parts > 1:
        raise InputError(f"--from {mirror}: has no folder {source.role}; fetch one role with --only {source.role}")
    return snapshot_in(given)


def _demand_room(folder: Path, size: int) -> None:
    free = free_disk_bytes(folder)
    if size > free:
        raise WeightsError(
            f"{folder}: {size / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; "
            "set SDIBENCH_WEIGHTS to a larger disk"
        )
