"""What the READMEs show works as it stands there: the examples run, and every command is one that there is."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import tyro

from bench.cells.streams import make_streams
from bench.cli import Command
from methods.cameras import evaluation_ring
from methods.contracts import Rendering, View, ViewPrompt
from methods.distillation import methods
from methods.priors.loading import load_prior
from metrics import Views, metrics

ROOT = Path(__file__).parent.parent
READMES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*README.md"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
)
#: Placeholders of the READMEs, and the values that they stand for.
STANDS_FOR = {"A": "runs/a", "B": "runs/b", "C": "runs/c", "RUN": "runs/a", "N": "3"}


def run_example(readme: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ModuleType]:
    """The example of a README, imported from a file of its own."""
    (code,) = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    specification = importlib.util.spec_from_file_location(name, tmp_path / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, name, module)
    specification.loader.exec_module(module)
    return code, module


def test_the_method_of_the_readme_is_short_and_works(tmp_path: Path, monkeypatch) -> None:
    methods.names()  # all that ship are there before it is added
    monkeypatch.setattr(methods, "_found", dict(methods._found))  # and it is gone again afterwards
    code, _ = run_example(ROOT / "README.md", "x0", tmp_path, monkeypatch)
    assert code.count("\n") <= 30

    prior = load_prior("gaussian")
    method = methods["x0"]().calibrated(prior)
    rgb = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    blank = torch.ones(2, 1, 16, 16)
    view = View(Rendering(rgb, blank, blank), evaluation_ring(2), prior)
    prompt = ViewPrompt(prior.embed(["a car"] * 2), prior.null(2), prior.null(2))
    out = method(view, prior=prior, prompt=prompt, progress=0.5, streams=make_streams(0, "readme"), state={})
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    torch.testing.assert_close(gradient, (view.latents - out.target).detach() / 2)


def test_the_metric_of_the_readme_is_short_and_works(tmp_path: Path, monkeypatch) -> None:
    metrics.names()
    monkeypatch.setattr(metrics, "_found", dict(metrics._found))
    code, _ = run_example(ROOT / "metrics" / "README.md", "chroma", tmp_path, monkeypatch)
    assert code.count("\n") <= 30
    rgb = np.zeros((2, 4, 4, 3), np.uint8)
    rgb[1, ..., 0] = 255
    views = Views(rgb, np.full((2, 4, 4), 255, np.uint8), np.zeros(2), ())
    metric = metrics["chroma"]("toybox")
    np.testing.assert_allclose(metric.score(views, "", [])["chroma"], [0.0, 2**0.5 / 3])
    assert metric.card.column_names == ("chroma",)


def commands() -> list[str]:
    """Every line of a README's code blocks that begins with the command, without the remark behind it."""
    found = []
    for readme in READMES:
        for block in re.findall(r"```\w*\n(.*?)```", readme.read_text(encoding="utf-8"), flags=re.DOTALL):
            for line in block.splitlines():
                if line.startswith("sdibench "):
                    command = re.split(r"\s{2,}(?!--)|\s+#", line)[0]
                    found.append(command)
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("command", commands())
def test_every_command_of_a_readme_is_understood(command: str) -> None:
    words = [STANDS_FOR.get(word, word) for word in shlex.split(command)[1:]]
    tyro.cli(Command, args=words, config=(tyro.conf.FlagCreatePairsOff,))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_links_lead_to_files(readme: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", readme.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (readme.parent / target).exists(), target


def test_the_printed_table_is_the_one_of_a_run() -> None:
    """The table that the README links to is a file that a report wrote; the README itself has none."""
    table = (ROOT / "reports" / "results" / "quick.md").read_text(encoding="utf-8")
    assert table.startswith("#") or "| Method |" in table
    for method in ("sds", "nfsd", "ism", "sdi"):
        assert f"| {method} |" in table
    assert "±" not in re.sub(r"mean ± standard deviation", "", (ROOT / "README.md").read_text(encoding="utf-8"))
