"""The images of a study's control rows, made once and kept in the run folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import JsonValue
from rich.console import Console

from bench.cells.streams import make_streams
from bench.cells.torch_settings import torch_settings
from bench.errors import InputError
from bench.output import print_line
from bench.records.record import AnyRecord
from bench.records.store import RunStore
from bench.scores.image_folder import image_folder, image_names, is_whole
from bench.scores.truth import TRUTH_VERSION, read_truth, truth_folders
from bench.scores.view_set import ViewSet, cell_views
from bench.study.pinning import loaded_prior, study_prior
from bench.study.settings import EvaluationSettings
from bench.study.study import Study
from methods.cameras import view_words, with_view
from methods.diffusion.bounded import with_bound
from methods.diffusion.sampling import sample_images
from methods.pixels import NotFiniteError, to_bytes
from methods.registry import UnknownNameError
from methods.weights import WeightsError
from metrics import Metric
from metrics.controls import Control, ControlSources, StoredViews, controls
from metrics.views import Views
from prompts import Prompt
from reports.frames import listed

#: Raised by hand when the controls' images change.
CONTROLS_VERSION = 3

#: DDIM steps behind ``prior_2d``: on the toybox the scores are those of 50 steps to 0.1 of a CLIP score.
SAMPLING_STEPS = 25

#: The guidance scale that Stable Diffusion's samples are published with, for studies with published guidance.
PUBLISHED_SCALE = 7.5

#: The control whose images are the prior's own.
_SAMPLES = "prior_2d"


@dataclass(frozen=True)
class ControlViews:
    """The views of one control for one prompt."""

    name: str
    """Name of the control in its registry."""
    title: str
    """Label of its row in tables."""
    views: ViewSet
    """The images of the control."""


class _NoPriorError(Exception):
    """The prior cannot be loaded here, or its images are not to be made; the message says why."""


def control_views(
    study: Study,
    records: Sequence[AnyRecord],
    prompts: Sequence[Prompt],
    store: RunStore,
    console: Console,
    *,
    makes: bool = True,
) -> list[ControlViews]:
    """Return the study's controls for each of its prompts.

    Args:
        study: Names the controls, the baseline whose renders controls can use, and the guidance of the samples.
        records: The completed cells.
        prompts: The study's prompts.
        store: The run folder; images go to its folder ``controls/<name>/<prompt>--<key>``.
        console: Receives a line for each control that is not available for all prompts, or has images that are not
            finite, which leaves out its rows for those.  Images of the prior that were made where its weights are
            need them no more.
        makes: Make images that are missing; otherwise their controls are left out.
    """
    maker = _Maker(study, records, prompts, store, makes=makes)
    found = []
    for name in study.controls:
        control = controls[name]()
        possible = [prompt for prompt in prompts if control.available(prompt.text, maker.sources(prompt))]
        if len(possible) < len(prompts):
            print_line(
                console,
                f"{study.name}: no {name} for {len(prompts) - len(possible)} of {len(prompts)} prompts: it needs "
                f"{control.needs}",
            )
        made, why = maker.all_views(name, control, possible)
        found += [ControlViews(name, control.title, views) for views in made]
        if why:
            missing = len(possible) - len(made)
            print_line(console, f"{study.name}: no {name} for {missing} of {len(prompts)} prompts: {why}")
    return found


def sample_views(
    study: Study, scorers: Sequence[Metric], prompts: Sequence[Prompt], store: RunStore, *, makes: bool = True
) -> tuple[dict[str, ViewSet], str]:
    """Return the prior's own images that scores are relative to, by the id of the prompt.

    They are the images of the control ``prior_2d``, whether or not the study has it: made once, and afterwards read
    without the prior's weights.

    Args:
        study: Names the prior, the guidance of the samples and the evaluation.
        scorers: The metrics; if none of them is relative or compares with the prior's images, none are needed.
        prompts: The prompts; those with a known truth need images only for metrics that compare with them in any case.
        store: The run folder.
        makes: Make those that are missing; otherwise they are left out.

    Returns:
        The images, and a sentence about prompts that lack them, empty if none does.
    """
    compared = [scorer.card for scorer in scorers if scorer.card.uses_samples]
    relative = [scorer.card for scorer in scorers if scorer.card.uses_references and not scorer.card.uses_samples]
    unknown = [prompt for prompt in prompts if prompt.truth is None]
    asked = list(prompts) if compared else unknown if relative else []
    if not asked:
        return {}, ""
    made, why = _Maker(study, [], asked, store, makes=makes).all_views(_SAMPLES, controls[_SAMPLES](), asked)
    found = {views.prompt.id: views for views in made}
    if why:
        lines = []
        for cards, some, which in ((compared, asked, ""), (relative, unknown, "whose truth is not known and ")):
            lacking = sum(prompt.id not in found for prompt in some)
            if cards and lacking:
                names = listed([card.name for card in cards], "and")
                lines.append(
                    f"no {names} for {lacking} of {len(prompts)} prompts, {which}for which there are no images"
                )
        why = f"{'; '.join(lines)} of the prior: {why}"
    return found, why


class _Maker:
    def __init__(
        self,
        study: Study,
        records: Sequence[AnyRecord],
        prompts: Sequence[Prompt],
        store: RunStore,
        *,
        makes: bool = True,
    ) -> None:
        self.study, self.store, self.makes = study, store, makes
        self.ring, self.seed = study.evaluation, study.seeds[0]
        cameras = self.ring.cameras()
        self.azimuth_deg = cameras.azimuth_deg.numpy()
        self.words = [with_view("", words) * (study.view_prompts != "none") for words in view_words(cameras)]
        self.renders: dict[str, StoredViews] = {}  # of the baseline, by the text of its prompt
        for prompt in prompts:
            for record in records:
                cell = record.cell
                if (cell.label, cell.seed, cell.prompt_id) == (study.baseline, self.seed, prompt.id):
                    self.renders[prompt.text] = cell_views(record, prompt, store)

    def sources(self, prompt: Prompt) -> ControlSources:
        return ControlSources(
            azimuth_deg=self.azimuth_deg,
            resolution=self.ring.resolution,
            background=self.ring.background,
            seed=self.seed,
            renders=self.renders,
            sample=_PriorSampler(self.study, prompt.id, self.seed, self.words),
            truth=None if prompt.truth is None else _Truth(prompt, self.ring, self.store.folder / "truth"),
        )

    def all_views(self, name: str, control: Control, prompts: Sequence[Prompt]) -> tuple[list[ViewSet], str]:
        """Make the views of the prompts for which they can be made; also say why they cannot for others."""
        found, why = [], ""
        for prompt in prompts:
            try:
                found.append(self.views(name, control, prompt))
            except (NotFiniteError, _NoPriorError) as error:
                why = str(error)
        return found, why

    def views(self, name: str, control: Control, prompt: Prompt) -> ViewSet:
        sources = self.sources(prompt)
        identity: list[JsonValue] = [
            *(CONTROLS_VERSION, name, prompt.id, prompt.text, self.seed),
            *(self.ring.views, self.ring.resolution, self.ring.background),
            *control.identity(sources),
        ]
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
        folder = self.store.folder / "controls" / name / f"{prompt.id}--{key}"
        scores = self.store.folder / "scores" / "controls" / name / prompt.id
        names = image_names(self.ring.views)
        if not is_whole(folder, names):
            if not self.makes:
                raise _NoPriorError("they are not made yet")
            with torch_settings(self.study.threads):
                made = control.views(prompt.text, sources)
            if isinstance(made, ViewSet):  # a render as it is, with its own number, size and cameras
                shown: JsonValue = ["control", name, prompt.id, prompt.text, made.identity]
                return replace(made, identity=shown, scores=scores, prompt=prompt)
            views = made if isinstance(made, Views) else made.read()
            if len(views) != self.ring.views:
                raise InputError(f"control {name}: made {len(views)} views, must be {self.ring.views}, one per camera")
            image_folder(folder, names, lambda temporary: _write(views, temporary))
        return ViewSet(
            identity=identity,
            scores=scores,
            prompt=prompt,
            azimuth_deg=tuple(self.azimuth_deg.tolist()),
            rgb=tuple(folder / f"rgb_{index:03}.png" for index in range(self.ring.views)),
            opacity=tuple(folder / f"opacity_{index:03}.png" for index in range(self.ring.views)),
            ring=self.ring,
            truths=self.store.folder / "truth" if control.has_cameras else None,
            objects=None if control.has_cameras else self.store.folder / "truth",
            texts=tuple(prompt.text + words for words in self.words) if name == _SAMPLES else None,
        )


class _Truth:
    """The images of the first object that fits a prompt, which are rendered when they are read."""

    def __init__(self, prompt: Prompt, ring: EvaluationSettings, folder: Path) -> None:
        self._prompt, self._ring, self._folder = prompt, ring, folder

    @property
    def identity(self) -> JsonValue:
        cameras = self._ring.model_dump(mode="json", exclude={"snapshots", "snapshot_views"})
        truth = None if self._prompt.truth is None else self._prompt.truth.model_dump(mode="json")
        return [TRUTH_VERSION, cameras, truth]

    def read(self) -> Views:
        truth = read_truth(truth_folders(self._prompt, self._ring, self._folder)[0])
        return Views(truth.rgb, truth.opacity, self._ring.cameras().azimuth_deg.numpy())


class _PriorSampler:
    """The prior's images for the texts that a method asks it for at the cameras of the ring."""

    def __init__(self, study: Study, prompt_id: str, seed: int, words: Sequence[str]) -> None:
        self._study, self._prompt_id, self._seed, self._words = study, prompt_id, seed, words

    @property
    def identity(self) -> JsonValue:
        return [study_prior(self._study).weights_sha256, self._scale(), SAMPLING_STEPS, self._study.bound, *self._words]

    def __call__(self, prompt: str, count: int) -> np.ndarray:
        texts = [prompt + words for words in self._words[:count]]
        generator = make_streams(self._seed, self._prompt_id)["eval"]
        try:
            prior = with_bound(loaded_prior(self._study), self._study.bound)
        except (InputError, UnknownNameError, WeightsError) as error:
            raise _NoPriorError(str(error)) from error
        images = sample_images(prior, texts, generator=generator, scale=self._scale(), steps=SAMPLING_STEPS)
        return to_bytes(images.permute(0, 2, 3, 1))

    def _scale(self) -> float:
        if self._study.guidance == "published":
            return PUBLISHED_SCALE
        return study_prior(self._study).guidance_scale


def _write(views: Views, folder: Path) -> None:
    kinds = {"rgb": views.rgb, "opacity": np.full(views.rgb.shape[:-1], 255, np.uint8)}
    if views.opacity is not None:
        kinds["opacity"] = views.opacity
    for kind, images in kinds.items():
        for index, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{kind}_{index:03}.png")
