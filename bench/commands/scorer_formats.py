"""The formats that scorers are published in: which files are fetched, and how they become what is loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from methods.priors.pipeline.json_file import read_json
from methods.weights import WeightsError
from metrics.suites import ScorerModel, Suite
from metrics.suites.suite import PublishedFormat

#: From the paths of all files of a repository, and its name for an error's line, to the paths that are wanted.
Choose = Callable[[Collection[str], str], list[str]]

_CLIP_CONFIG, _CLIP_WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
_CLIP_TOKENIZER = ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_TRANSFORMERS = ("config.json", "model.safetensors")
_REWARD = ("ImageReward.pt", "med_config.json")
_HPS = "HPS_v2.1_compressed.pt"  # HPS_v2_compressed.pt, next to it, is version 2.0: other numbers
_HEAD = "sac+logos+ava1-l14-linearMSE.pth"
_VOCABULARY = "vocab.txt"


def choose_nothing(names: Collection[str], where: str) -> list[str]:
    """Choose no file."""
    return []


def _exactly(*wanted: str) -> Choose:
    def choose(names: Collection[str], where: str) -> list[str]:
        for name in wanted:
            if name not in names:
                raise WeightsError(f"{where}: no {name}")
        return list(wanted)

    return choose


@dataclass(frozen=True)
class Published:
    """The work of ``sdibench fetch`` on one format."""

    needed: Choose
    """The files that are fetched; raises WeightsError if one is missing."""
    first: Choose = choose_nothing
    """Small files of those that are fetched and checked before the large ones."""
    check: Callable[[Path, ScorerModel, str], None] | None = None
    """Takes a folder with the ``first`` files, the suite's facts and the folder's name for the error's line."""
    convert: Callable[[Path, Suite], None] | None = None
    """Takes the folder with all files: writes what is loaded later, and removes what is not, before they are hashed."""
    open: Callable[[Path, ScorerModel], object] | None = None
    """Takes the finished folder and the suite's facts: loads the model as a run does."""
    script: str = ""
    """The module that converts, for the card."""


def _clip_files(names: Collection[str], where: str) -> list[str]:
    small = _clip_small_files(names, where)
    if _CLIP_WEIGHTS not in names:
        raise WeightsError(f"{where}: no {_CLIP_WEIGHTS}; pickled weights are not read, because they can run code")
    return [*small, _CLIP_WEIGHTS]


def _clip_small_files(names: Collection[str], where: str) -> list[str]:
    if _CLIP_CONFIG not in names:
        raise WeightsError(f"{where}: no {_CLIP_CONFIG}, so it is not a CLIP in open_clip's format")
    return [_CLIP_CONFIG, *(name for name in _CLIP_TOKENIZER if name in names)]


def _check_clip(folder: Path, model: ScorerModel, where: str) -> None:
    from metrics.models.clip_folder import check_facts  # torch takes seconds to import, as do the others below

    read_json(folder / _CLIP_CONFIG)  # says what it is instead, if it is not JSON
    check_facts(folder, model, where)


def _open_clip(folder: Path, model: ScorerModel) -> None:
    from metrics.models.clip_folder import check_facts, open_clip_folder

    check_facts(folder, model)
    open_clip_folder(folder)


def _convert_transformers(folder: Path, suite: Suite) -> None:
    from metrics.models.convert_transformers import convert_transformers

    convert_transformers(folder, folder)
    _remove(folder, _TRANSFORMERS)


def _convert_hps(folder: Path, suite: Suite) -> None:
    from metrics.models.convert_hps import convert_hps

    convert_hps(folder / _HPS, folder)
    _remove(folder, (_HPS,))


def _convert_head(folder: Path, suite: Suite) -> None:
    from metrics.models.checkpoint import read_checkpoint
    from metrics.models.linear_head import write_head

    write_head(read_checkpoint(folder / _HEAD), folder, folder / _HEAD)
    _remove(folder, (_HEAD,))


def _open_head(folder: Path, model: ScorerModel) -> None:
    from metrics.models.linear_head import LinearHead

    LinearHead(folder)


def _convert_reward(folder: Path, suite: Suite) -> None:
    """Convert the published pickle to what the suite loads; BERT's vocabulary was fetched before."""
    from metrics.models.convert_image_reward import convert_image_reward

    bert = suite.models.get("bert")
    local = None if bert is None else bert.folder
    vocabulary = (local or folder.parent / "bert") / _VOCABULARY
    if not vocabulary.is_file():
        raise WeightsError(
            f"{vocabulary}: missing, and reward needs it; run: sdibench fetch {suite.fetched_as or suite.name} --only "
            "bert reward"
        )
    pickled, config = (folder / name for name in _REWARD)
    convert_image_reward(pickled, config, vocabulary, folder)
    _remove(folder, _REWARD)


def _remove(folder: Path, names: Collection[str]) -> None:
    for name in names:
        (folder / name).unlink()


#: Every format; a further one is a further entry, and a name in ``metrics.suites.suite.PublishedFormat``.
FORMATS: dict[PublishedFormat, Published] = {
    "open_clip": Published(_clip_files, _clip_small_files, _check_clip, open=_open_clip),
    "transformers": Published(
        _exactly(*_TRANSFORMERS), _exactly(_TRANSFORMERS[0]), convert=_convert_transformers, open=_open_clip,
        script="metrics.models.convert_transformers",
    ),
    "hps": Published(_exactly(_HPS), convert=_convert_hps, open=_open_clip, script="metrics.models.convert_hps"),
    "image_reward": Published(
        _exactly(*_REWARD), convert=_convert_reward, script="metrics.models.convert_image_reward"
    ),
    "linear_head": Published(
        _exactly(_HEAD), convert=_convert_head, open=_open_head, script="metrics.models.linear_head"
    ),
    "vocabulary": Published(_exactly(_VOCABULARY)),
}  # fmt: skip
