"""A study: a TOML file that says which methods run on which prompts, and how."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, ValidationError, model_validator

from bench.errors import InputError
from bench.study.comparisons import COMPARISONS, check_comparisons, comparisons_among
from bench.study.explanation import explain, keys_of
from bench.study.figure_settings import FigureSettings
from bench.study.naming import named_in
from bench.study.paper_claim import PaperClaim
from bench.study.paths import map_scenes, with_whole_paths, without_places
from bench.study.pinned import Pinned
from bench.study.section import Section, Slug
from bench.study.settings import CellSettings, is_imported, named_table
from methods.paths import expand_path
from methods.registry import nearest

if TYPE_CHECKING:  # the toybox imports torch, for which --help must not wait
    from prompts import Prompt, PromptSet

STUDIES = Path(__file__).parents[1] / "studies"

#: Settings that an arm may not change: all arms have the same evaluation and bounds.
_OF_ALL_ARMS = {"evaluation", "divergence"}

#: Fields that are no keys of a study file.
NOT_IN_FILES = {"name", "pinned"}


class Handling(Section):
    """The keys that may change without changing the cells: texts, hardware, and what is done with the records."""

    title: str
    """Heading of the report."""
    description: str = ""
    """The purpose of the study, one paragraph."""
    scorers: str | None = None
    """Suite of scorer models, or its TOML file; by default the one with the prior's name."""
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of the metrics to score with."""
    controls: tuple[str, ...] = ()
    """Control rows to score in addition to the methods: blank, noise, other_prompt, prior_2d; truth and flat where the
    truth is known."""
    baseline: str
    """Label of the arm that the others are compared with."""
    more_baselines: dict[Slug, tuple[Slug, ...]] = Field(default={})
    """Labels of arms that are compared with another arm than the baseline, by that other arm's label."""
    published: tuple[str, ...] = ()
    """Published tables (files of reports/published) to show next to the results."""
    figures: tuple[FigureSettings, ...] = ()
    """Figures of the report in addition to those of every study."""
    paper_claims: tuple[PaperClaim, ...] = ()
    """Claims of papers about the arms, which the report tests."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """Torch's threads on the CPU in each process, on which the last bits of the numbers depend."""
    time_limit_seconds: Annotated[float, Field(gt=0)] | None = None
    """Longest time of a cell's optimisation, seconds; by default no limit."""
    memory_limit_gb: Annotated[float, Field(gt=0)] | None = None
    """Most memory while a cell runs, 10⁹ bytes: of torch on a GPU, of the whole process on a CPU (Linux); a cell that
    needs more ends as oom."""
    vram_gb_per_cell: Annotated[float, Field(gt=0)] | None = None
    """GPU memory of a cell, 10⁹ bytes, which decides how many share a GPU under the engine ray; by default what the
    study's finished cells took, or a whole GPU each."""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Time after which an unfinished cell is saved again, seconds."""
    checkpoint_steps: Annotated[int, Field(ge=1)] | None = None
    """Steps after which an unfinished cell is saved again, if that is sooner."""


class Study(CellSettings, Handling):
    """The content of a study file; expands into cells (``bench.study.expand``)."""

    name: Slug
    """Name of the study and of its run folder: the file's stem, with a hash if it was filtered."""
    prompts: str
    """Name of a prompt set, or path of a file: TOML like the suite's own, or a list of prompts (text, CSV or JSON).  A
    relative path is relative to the study file that has it, and absolute once that file is read."""
    prompt_ids: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Ids of the chosen prompts, in this order; by default all of the set."""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(min_length=1)] = (0,)
    """Seeds; every method sees the same cameras at the same seed."""
    guidance: Literal["calibrated", "published"] = "calibrated"
    """Guidance scales from the prior's card (the same for every method), or each method's published constants."""
    scene: Annotated[dict[str, JsonValue], BeforeValidator(named_table)] = Field(default={"name": "nerf"})
    """Registered name of the scene, alone or in a table with its settings."""
    methods: Annotated[dict[Slug, dict[str, JsonValue]], Field(min_length=1)]
    """The arms: hyper-parameters by label.  The key ``method`` names the method if it is not the label, and the table
    ``settings`` holds the arm's own settings (``render``, ``scene``, ``steps``, …)."""
    pinned: Pinned | None = None
    """The prompts and the prior as the run folder keeps them; None for a study that has not been run."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        check_comparisons(self.methods, self.baseline, self.more_baselines, self.paper_claims)
        if "name" not in self.scene:
            raise ValueError('scene: has no key name, such as name = "nerf"')
        for field in ("seeds", "prompt_ids", "metrics", "controls", "published"):
            values = getattr(self, field) or ()
            if len(set(values)) < len(values):
                raise ValueError(f"{field} = {list(values)}: the values must differ")
        names = [figure.name for figure in self.figures]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ValueError(f"figures.{index}.name = {name!r}: is the name of another figure; each needs its own")
        for key, value in (*_numbers(self.scene, "scene"), *_numbers(self.methods, "methods")):
            if not math.isfinite(value):
                raise ValueError(f"{key} = {value}: must be a finite number")
        return self

    def of_arm(self, label: str) -> Study:
        """The study of one arm: that arm alone, with its ``settings`` merged into the study's, and its prior as pinned.

        Raises:
            InputError: If the settings are malformed, or not among those that an arm may have.
        """
        arm = dict(self.methods[label])
        settings = arm.pop("settings", {})
        where = f"{self.name}: methods.{label}.settings"
        if not isinstance(settings, dict):
            raise InputError(f"{where} = {settings!r}: must be a table, such as settings.render.resolution = 32")
        known = CellSettings.model_fields.keys() - _OF_ALL_ARMS | {"guidance", "scene"}
        for name in settings:
            if name not in known:
                raise InputError(f"{where}: unknown key {name!r}: {nearest(name, known)}")
        fields = self.model_dump(mode="json", exclude={"pinned", *COMPARISONS})
        fields |= {"methods": {label: arm}, "baseline": label}
        own = parse_study(overlay(fields, settings), where=where)
        if self.pinned is None:
            return own
        prior = self.pinned.prior if own.prior == self.prior else self.pinned.arm_priors.get(label)
        pinned = None if prior is None else self.pinned.model_copy(update={"prior": prior, "arm_priors": {}})
        return own.model_copy(update={"pinned": pinned})

    def scene_key(self, label: str) -> str:
        """The key of an arm's scene in the study, for errors: the study's own, or that of the arm's changes to it."""
        settings = self.methods[label].get("settings")
        return f"methods.{label}.settings.scene" if isinstance(settings, dict) and "scene" in settings else "scene"

    def with_own_priors(self) -> dict[str, Study]:
        """The study of each arm whose prior is not the study's, by label.

        Raises:
            InputError: If the settings of such an arm are malformed.
        """
        tables = {label: arm.get("settings") for label, arm in self.methods.items() if not is_imported(arm)}
        named = [label for label, settings in tables.items() if isinstance(settings, dict) and "prior" in settings]
        return {label: own for label in named if (own := self.of_arm(label)).prior != self.prior}

    def by_prior(self) -> list[Study]:
        """The study, and that of each arm whose prior is another one.

        Raises:
            InputError: If the settings of such an arm are malformed.
        """
        return [self, *self.with_own_priors().values()]

    def prompt_set(self) -> PromptSet:
        """The whole prompt set of the study: the one that the run folder keeps, or the one on disk.

        Raises:
            PromptSetError: If there is no such prompt set.
            InputError: If the run folder's is malformed.
        """
        from prompts import PromptSet, load_prompt_set

        if self.pinned is None:
            with named_in(self, "prompts"):
                return load_prompt_set(self.prompts)
        try:
            return PromptSet.model_validate(self.pinned.prompt_set)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, ("pinned.prompt_set", *problem["loc"])))
            raise InputError(f"the study {self.name}: {where}: {problem['msg']}") from error

    def chosen_prompts(self) -> list[Prompt]:
        """The prompts of the study, in its order.

        Raises:
            PromptSetError: If there is no such prompt set, or no such prompt in it.
            InputError: If the run folder's prompt set is malformed.
        """
        prompt_set = self.prompt_set()
        with named_in(self, "prompt_ids"):
            return [prompt_set[each] for each in self.prompt_ids] if self.prompt_ids else list(prompt_set.prompts)

    @property
    def scorer_suite(self) -> str:
        """The suite of scorer models."""
        from methods.priors import suite_of  # imports torch, which --help must not wait for

        return self.scorers or suite_of(self.prior.name)

    @property
    def key(self) -> str:
        """SHA-256 of :meth:`cell_fields`."""
        return hashlib.sha256(json.dumps(self.cell_fields(), sort_keys=True, allow_nan=False).encode()).hexdigest()

    def cell_fields(self) -> dict[str, Any]:
        """All keys that decide the cells that are optimised, without the names of prompt set and prior, and of files.

        A file can be spelled in many ways, and its content can change: ``bench.study.pinning`` compares the contents.
        """
        left_out = dict.fromkeys((*NOT_IN_FILES, "prompts", *Handling.model_fields), True)
        fields = self.model_dump(mode="json", exclude={**left_out, "prior": {"name"}})
        fields["methods"] = {label: arm for label, arm in self.methods.items() if not is_imported(arm)}
        return map_scenes(fields, lambda scene, _: without_places(scene))

    def narrow(
        self,
        *,
        methods: Sequence[str] = (),
        prompt_ids: Sequence[str] = (),
        seeds: Sequence[int] = (),
        steps: int | None = None,
    ) -> Study:
        """The study with some of its methods, or other prompts, seeds or steps, under a name of its own.

        Raises:
            InputError: If a method is not in the study, or a value is out of its range.
        """
        fields = self.model_dump(mode="json")
        for label in methods:
            if label not in self.methods:
                raise InputError(f"unknown method {label!r} in the study {self.name}: {nearest(label, self.methods)}")
        if methods:
            fields["methods"] = {label: self.methods[label] for label in dict.fromkeys(methods)}
            fields |= comparisons_among(fields, methods)
            if self.baseline not in methods:
                fields |= {"baseline": methods[0], "more_baselines": {}}
        fields |= {"prompt_ids": list(prompt_ids)} if prompt_ids else {}
        fields |= {"seeds": list(seeds)} if seeds else {}
        fields |= {"steps": steps} if steps is not None else {}
        study = parse_study(fields, where=f"the study {self.name}")
        is_whole = study.key == self.key and study.methods.keys() == self.methods.keys()
        return self if is_whole else study.model_copy(update={"name": f"{self.name}-{study.key[:6]}"})


def load_study(name_or_path: str | Path) -> Study:
    """Read a study by its name (``quick``) or its TOML file.

    A file with the key ``extends`` holds only its differences to another study, or to several that are merged in order.
    Tables are merged key by key (:func:`overlay`), except ``methods`` and ``figures``, which replace those below.  A
    file that names a prompt set replaces ``prompt_ids`` too.  Comparisons of arms that the whole lacks are dropped
    from what is extended.  Relative paths in a file are relative to its folder.

    Raises:
        InputError: If there is no such study, or the file is malformed; the line names file, key and value.
    """
    path = _find(name_or_path)
    return parse_study({"name": path.stem, **_read(path, ())}, where=str(path))


def _find(name_or_path: str | Path, folder: Path = Path()) -> Path:
    """The file of a study; a relative path is relative to ``folder``."""
    given = str(name_or_path)
    path = folder / expand_path(given)
    if path.suffix.lower() == ".toml":
        return path
    shipped = STUDIES / f"{given}.toml"
    if shipped.is_file():
        return shipped
    if given and path.exists():
        what = "folder without a study.json, so it is not a run folder" if path.is_dir() else "file that is not TOML"
        raise InputError(f"unknown study {given!r}: is a {what}; name a study, a study's TOML file or a run folder")
    if "/" in given or given.startswith((".", "~")):
        raise InputError(f"{given}: there is no such folder; name a study, a study's TOML file or a run folder")
    raise InputError(f"unknown study {given!r}: {nearest(given, study_names())}")


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The fields of a study file, merged into those of the studies that it extends."""
    fields = _parse_toml(path)
    extended = fields.pop("extends", [])
    names = [extended] if isinstance(extended, str) else extended
    here = path.resolve()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: extends = {extended!r}: must be the name of a study, or a list of names")
    if here in seen:
        raise InputError(f"{path}: extends = {extended!r}: must be the name of a study that does not extend this one")
    for name in sorted(NOT_IN_FILES & fields.keys()):
        right = "a study has the name of its file" if name == "name" else nearest(name, keys_of(Study, NOT_IN_FILES))
        raise InputError(f"{path}: unknown key {name!r}: {right}")
    merged: dict[str, Any] = {}
    for name in names:
        merged = _merge(merged, _read(_find(name, path.parent), (*seen, here)))
    return _merge(merged, with_whole_paths(fields, path))


def _parse_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # without the byte-order mark of some editors
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # not TOML, not UTF-8, or a number of too many digits
        raise InputError(f"{path}: is not valid TOML: {error}") from error
    except RecursionError as error:
        raise InputError(f"{path}: is not valid TOML: its tables or lists are nested too deep") from error


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a study over those of another, without its comparisons of arms that the whole does not have."""
    chosen = {name: value for name, value in below.items() if name != "prompt_ids" or "prompts" not in above}
    methods = above.get("methods", below.get("methods"))
    if isinstance(methods, dict):
        chosen |= comparisons_among(below, methods)
    return overlay(chosen, above) | {name: above[name] for name in ("methods", "figures") if name in above}


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge ``above`` into ``below``: its values replace those below, and tables are merged key by key.

    A table with a ``name`` is a part with its own settings: it replaces the whole table below.
    """
    merged = dict(below)
    for name, value in above.items():
        present = named_table(merged.get(name)) if isinstance(value, dict) else None
        is_merged = isinstance(value, dict) and "name" not in value
        merged[name] = overlay(present, value) if is_merged and isinstance(present, dict) else value
    return merged


def study_names() -> list[str]:
    """Names of the studies that the suite ships."""
    return sorted(path.stem for path in STUDIES.glob("*.toml"))


def as_argument(folder: Path) -> str:
    """A run folder as a command takes it in place of a study: as ``./quick`` where ``quick`` names a study."""
    return f"./{folder}" if str(folder) in study_names() else str(folder)


def parse_study(fields: dict[str, Any], *, where: str) -> Study:
    """Validate the fields of a study.

    Args:
        fields: Keys and values, as TOML or JSON has them.
        where: Beginning of the message of an error.

    Raises:
        InputError: If a key is unknown or missing, or a value is wrong.
    """
    try:  # through JSON, whose strict mode accepts lists for tuples and nothing else
        return Study.model_validate_json(json.dumps(fields, default=str))
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error, fields, Study, NOT_IN_FILES)}") from error
    except RecursionError as error:
        raise InputError(f"{where}: its tables or lists are nested too deep") from error


def _numbers(value: Any, key: str) -> Iterator[tuple[str, float]]:
    """The fractional numbers in a table of settings, each with its key."""
    if isinstance(value, float):
        yield key, value
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _numbers(entry, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _numbers(entry, key)
