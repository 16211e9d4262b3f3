"""What other installed packages bring, each in one file: a scene that grows, a metric, and a method with state.

They are run, killed and resumed to the bit, and scored; the metric is in the tables of the report.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bench

pytestmark = pytest.mark.e2e

ROOT = Path(bench.__file__).parents[1]

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "sdibench-foreign"
version = "1.0"
[project.entry-points."sdibench.scene"]
dots = "foreign_scene:Dots"
[project.entry-points."sdibench.metric"]
chroma = "foreign_metric:Chroma"
[project.entry-points."sdibench.method"]
momentum = "foreign_method:Momentum"
[project.entry-points."sdibench.inversion_strategy"]
drift = "foreign_method:Drift"
[tool.setuptools]
py-modules = ["foreign_scene", "foreign_metric", "foreign_method"]
"""

SCENE = '''
"""A scene of coloured dots on a plane that doubles their number every few steps, moments of the optimiser included."""

from dataclasses import dataclass

import torch

from methods.contracts import Rendering
from methods.scenes.scene import Scene, SceneSettings


@dataclass(frozen=True)
class Dots(SceneSettings):
    """Soft dots that every camera sees alike."""

    count: int = 3
    """Dots at the start."""
    every: int = 2
    """Steps between two doublings."""

    def build(self, prior, generator):
        return DotsScene(self, torch.randn(self.count, 5, generator=generator))


class DotsScene(Scene):
    def __init__(self, settings, dots):
        super().__init__()
        self.settings = settings
        self.dots = torch.nn.Parameter(dots)  # x, y and three colours

    def render(self, cameras, *, resolution, background, generator=None, training=False, outputs=()):
        axis = torch.linspace(-1, 1, resolution)
        away = (axis - self.dots[:, 0, None, None]) ** 2 + (axis[:, None] - self.dots[:, 1, None, None]) ** 2
        share = torch.exp(-8 * away)
        opacity = (1 - torch.exp(-share.sum(0))).expand(len(cameras), 1, -1, -1)
        colour = torch.einsum("nc,nhw->chw", self.dots[:, 2:].sigmoid(), share) / share.sum(0).clamp_min(1e-6)
        rgb = colour * opacity + background[:, :, None, None] * (1 - opacity)
        return Rendering(rgb, opacity, opacity)

    def parameter_groups(self):
        return [{"name": "dots", "params": [self.dots], "lr": 0.05}]

    def after_step(self, step, optimiser, generator):
        if (step + 1) % self.settings.every == 0 and len(self.dots) < 20:
            old, moved = self.dots, 0.1 * torch.randn(self.dots.shape, generator=generator)
            self.dots = torch.nn.Parameter(torch.cat([old.detach(), old.detach() + moved]))
            [group] = optimiser.param_groups
            group["params"] = [self.dots]
            state = optimiser.state.pop(old)
            both = {name: torch.cat([value, value]) for name, value in state.items() if name != "step"}
            optimiser.state[self.dots] = both | {"step": state["step"]}
'''

METRIC = '''
"""Mean chroma of a view, which is best at a target."""

import numpy as np

from metrics.card import Column, MetricCard


class Chroma:
    """Spread of the channels."""

    columns = (Column(name="chroma", title="Chroma", unit="%", direction="target", target=20.0, decimals=1, scale=100),)
    role = None

    def __init__(self, models, device="cpu"):
        self.card = MetricCard(
            columns=self.columns, name="chroma", title="Chroma", checkpoint="none", preprocessing="uint8 RGB",
            description="Mean over the pixels of the standard deviation of a pixel's three channels, in %.",
        )

    def score(self, views, prompt, candidates):
        return {"chroma": (views.rgb / 255).std(axis=-1).mean(axis=(1, 2))}
'''

METHOD = '''
"""A method and an inversion strategy that keep something from step to step."""

from dataclasses import dataclass

import torch

from methods.contracts import Distillation, InversionStrategy, Method
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.distillation import update_loss


class Kept:
    def __init__(self):
        self.value = torch.zeros(1)

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


@dataclass(frozen=True)
class Drift(InversionStrategy):
    """Noise that drifts: a tenth of the last step's mean is added."""

    def start(self, prior):
        return {"drift": Kept()}

    def __call__(self, view, timesteps, *, prior, prompt, streams, state, until=None):
        noise = torch.randn(view.clean.shape, generator=streams["noise"]) + state["drift"].value
        state["drift"].value = 0.1 * noise.mean()[None] + view.rendering.opacity.mean().detach()[None]
        return noise


@dataclass(frozen=True)
class Momentum(Method):
    """SDS whose update keeps half of the last one's."""

    guidance_scale: float = 2.0
    """s."""
    inversion: InversionStrategy = Drift()
    """Source of the noise."""
    negative_prompt: str = "a bad {prompt}"
    """Words to avoid."""

    def start(self, prior):
        return super().start(prior) | {"momentum": Kept()}

    def __call__(self, view, *, prior, prompt, progress, streams, state):
        t = torch.full((len(view.clean),), 400)
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        noisy = add_noise(prior, view.clean, noise, t)
        guided = guided_prediction(prior, noisy, t, prompt, self.guidance_scale, against="negative")
        state["momentum"].value = 0.5 * state["momentum"].value + (guided.noise - noise)
        return Distillation(update_loss(view.latents, state["momentum"].value), guided.target, t, noise, guided.noise)
'''

STUDY = """
title = "Other packages"
prior = "gaussian"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck"]
steps = 8
guidance = "published"
metrics = ["chroma", "ground_truth"]
baseline = "sds"
threads = 1
checkpoint_seconds = 0.0
scene = { name = "dots", count = 3 }
[divergence]
opaque_opacity = 1.0
[render]
resolution = 8
[evaluation]
views = 2
resolution = 8
[methods.sds]
[methods.momentum]
"""

#: Runs the study in a run folder, killed in the step that is given; 0 for not at all.
#: Carries out its arguments one after the other, each in a fork, since the imports take seconds, and prints their
#: statuses: ``FOLDER`` scores and reports a run, ``FOLDER:STEP`` runs the study and is killed in that step of a cell.
COMMANDS = """
import os, sys
import bench.commands.report, bench.commands.run, bench.commands.score
import bench.engines.work as work
from bench.cli import main
from reports.figures.drawing import style

note = work._Progress.step
style._save = lambda draw, theme, *kinds: [b'<svg></svg>'] * len(kinds)  # drawing takes seconds


def carry_out(folder, _, step):
    def noted(self, event):
        if event.step == int(step) and self._attempts.count == 1:
            os._exit(9)
        note(self, event)

    if not step:
        return main(['score', folder]) or main(['report', folder])
    work._Progress.step = noted
    return main(['run', 'study.toml', '--out', folder])


statuses = []
for argument in sys.argv[1:]:
    child = os.fork()
    if not child:
        status = 70
        try:
            status = carry_out(*argument.partition(':'))
        finally:
            os._exit(status)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(statuses)
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with the study, and an environment in which the packages are installed."""
    folder = tmp_path_factory.mktemp("foreign")
    source, target = folder / "source", folder / "target"
    source.mkdir()
    (source / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    for name, text in {"scene": SCENE, "metric": METRIC, "method": METHOD}.items():
        (source / f"foreign_{name}.py").write_text(text, encoding="utf-8")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index")
    offline = ("--no-deps", "--no-build-isolation", "--target", str(target))
    subprocess.run([*pip, *offline, str(source)], check=True, capture_output=True)
    paths = os.pathsep.join([str(target), str(ROOT)])
    return folder, os.environ | {"PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8", "COLUMNS": "120"}


@pytest.fixture(scope="module")
def killed(workplace: tuple[Path, dict[str, str]]) -> Path:
    """The reported run folder of a run whose two cells were each killed once, in their sixth step."""
    folder, environment = workplace
    orders = ("killed:5", "killed:5", "killed:5", "straight:-1", "killed")
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, *orders],
        cwd=folder, env=environment, check=True, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[9, 9, 0, 0, 0]", done.stderr
    return folder / "killed"


def test_a_killed_cell_goes_on_to_the_same_bits(workplace: tuple[Path, dict[str, str]], killed: Path) -> None:
    scenes = sorted(killed.glob("cells/*/scene.safetensors"))
    assert len(scenes) == 2
    for scene in scenes:
        straight = workplace[0] / "straight" / "cells" / scene.parent.name
        assert scene.read_bytes() == (straight / "scene.safetensors").read_bytes()
        records = [json.loads((folder / "record.json").read_text()) for folder in (scene.parent, straight)]
        assert [record["environment"]["packages"]["sdibench-foreign"] for record in records] == ["1.0", "1.0"]
        assert [(record["status"], record["attempts"]) for record in records] == [("completed", 2), ("completed", 1)]
        steps = [line.split('"seconds"')[0] for line in (scene.parent / "events.jsonl").read_text().splitlines()]
        assert steps == [line.split('"seconds"')[0] for line in (straight / "events.jsonl").read_text().splitlines()]


def test_the_scene_has_grown(killed: Path) -> None:
    from safetensors.torch import load_file

    for scene in killed.glob("cells/*/scene.safetensors"):
        assert load_file(scene)["dots"].shape == (24, 5)  # 3, doubled after steps 2, 4 and 6; after 8 there are enough


def test_the_metric_is_in_the_tables(killed: Path) -> None:
    for name in ("summary", "differences", "comparisons", "robust", "variance"):
        table = (killed / "report" / "tables" / f"{name}.md").read_text(encoding="utf-8")
        assert "Chroma" in table, name
    summary = (killed / "report" / "tables" / "summary.md").read_text(encoding="utf-8")
    assert "Chroma % → 20" in summary
    assert "momentum" in summary
