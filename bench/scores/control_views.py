"""The pictures of a study's control rows, made once and kept in the run folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from pydantic import JsonValue
from rich.console import Console

from bench.cells.evaluation import ring_of
from bench.cells.streams import make_streams
from bench.cells.torch_settings import torch_settings
from bench.records.atomic import new_folder
from bench.records.record import Record
from bench.records.store import RunStore
from bench.scores.view_set import ViewSet, cell_views
from bench.study.study import Study
from methods.cameras import view_words
from methods.diffusion.sampling import sample_images
from methods.priors.loading import cached_prior, known_prior
from metrics.controls import WITHOUT_CAMERAS, ControlSources, controls
from metrics.views import Views
from prompts import Prompt

#: Raised by hand when the controls' pictures change.
CONTROLS_VERSION = 2

#: DDIM steps behind ``prior_2d``: on the toybox the scores are those of 50 steps to 0.1 of a CLIP score.
SAMPLING_STEPS = 25

#: The guidance scale that Stable Diffusion's samples are published with, for studies with published guidance.
PUBLISHED_SCALE = 7.5


class Control(NamedTuple):
    """The views that stand for a method's in one row of the controls."""

    name: str
    views: ViewSet


def control_views(
    study: Study, records: Sequence[Record], prompts: Sequence[Prompt], store: RunStore, console: Console
) -> list[Control]:
    """The study's controls for each of its prompts; pictures are made where they are not there yet.

    Args:
        study: Names the controls, the baseline whose renders ``other_prompt`` takes, and the guidance of the samples.
        records: The completed cells.
        prompts: The study's prompts.
        store: The run folder; pictures go to its folder ``controls/<name>/<prompt>--<key>``.
        console: Told of controls that cannot be had yet.
    """
    made = _Maker(study, records, prompts, store)
    found = []
    for name in study.controls:
        possible = [prompt for prompt in prompts if made.can_make(name, prompt)]
        if len(possible) < len(prompts):
            console.print(
                f"{study.name}: no {name} for {len(prompts) - len(possible)} of {len(prompts)} prompts: it needs "
                f"completed renders of {study.baseline} for the prompt and for one more"
            )
        found += [Control(name, made.views(name, prompt)) for prompt in possible]
    return found


class _Maker:
    def __init__(self, study: Study, records: Sequence[Record], prompts: Sequence[Prompt], store: RunStore) -> None:
        self.study, self.store = study, store
        self.ring, self.seed = study.evaluation, study.seeds[0]
        cameras = ring_of(self.ring)
        self.azimuth_deg = cameras.azimuth_deg.numpy()
        self.words = [f", {words}" * (study.view_prompts != "none") for words in view_words(cameras)]
        self.renders: dict[str, ViewSet] = {}  # of the baseline, by the text of its prompt
        for prompt in prompts:
            for record in records:
                cell = record.cell
                if (cell.label, cell.seed, cell.prompt_id) == (study.baseline, self.seed, prompt.id):
                    self.renders[prompt.text] = cell_views(record, prompt, store)

    def can_make(self, name: str, prompt: Prompt) -> bool:
        return name != "other_prompt" or (prompt.text in self.renders and len(self.renders) > 1)

    def views(self, name: str, prompt: Prompt) -> ViewSet:
        identity = self._identity(name, prompt)
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
        folder = self.store.folder / "controls" / name / f"{prompt.id}--{key}"
        if not folder.is_dir():
            with new_folder(folder) as temporary, torch_settings(self.study.threads):
                _write(controls[name](prompt.text, self._sources(name, prompt)), temporary)
        return ViewSet(
            identity=identity,
            scores=self.store.folder / "scores" / "controls" / name / prompt.id,
            prompt=prompt,
            azimuth_deg=tuple(self.azimuth_deg.tolist()),
            rgb=tuple(folder / f"rgb_{index:03}.png" for index in range(self.ring.views)),
            opacity=tuple(folder / f"opacity_{index:03}.png" for index in range(self.ring.views)),
            ring=self.ring,
            truths=None if name in WITHOUT_CAMERAS else self.store.folder / "truth",
        )

    def _identity(self, name: str, prompt: Prompt) -> list[JsonValue]:
        """Everything that the pictures depend on."""
        of_this: list[JsonValue] = []
        if name == "other_prompt":
            of_this = [views.identity for views in self.renders.values()]
        elif name == "prior_2d":
            weights: str = known_prior(self.study.prior.name, self.study.prior.posterior).weights_sha256
            of_this = [weights, self._scale(), SAMPLING_STEPS, *self.words]
        shared: list[JsonValue] = [CONTROLS_VERSION, name, prompt.id, prompt.text, self.seed]
        return [*shared, self.ring.views, self.ring.resolution, self.ring.background, *of_this]

    def _sources(self, name: str, prompt: Prompt) -> ControlSources:
        return ControlSources(
            azimuth_deg=self.azimuth_deg,
            resolution=self.ring.resolution,
            background=self.ring.background,
            seed=self.seed,
            renders=self._pictures_of_baseline if name == "other_prompt" else {},
            sample=partial(self._sample, prompt.id),
        )

    @cached_property
    def _pictures_of_baseline(self) -> dict[str, Views]:
        return {text: views.read() for text, views in self.renders.items()}

    def _sample(self, prompt_id: str, text: str, count: int) -> np.ndarray:
        """The prior's pictures for what a method asks it at the ``count`` cameras."""
        texts = [text + words for words in self.words[:count]]
        generator = make_streams(self.seed, prompt_id)["eval"]
        prior = cached_prior(self.study.prior.name, self.study.prior.posterior)
        pictures = sample_images(prior, texts, generator=generator, scale=self._scale(), steps=SAMPLING_STEPS)
        return np.asarray((pictures.permute(0, 2, 3, 1) * 255).round().to("cpu", torch.uint8).numpy())

    def _scale(self) -> float:
        return (
            PUBLISHED_SCALE
            if self.study.guidance == "published"
            else known_prior(self.study.prior.name, self.study.prior.posterior).guidance_scale
        )


def _write(views: Views, folder: Path) -> None:
    for index in range(len(views)):
        Image.fromarray(views.rgb[index]).save(folder / f"rgb_{index:03}.png")
        Image.fromarray(views.opacity[index]).save(folder / f"opacity_{index:03}.png")
