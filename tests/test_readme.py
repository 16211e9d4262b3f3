"""What the README shows as an example works as it stands there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import torch

from bench.cells.streams import make_streams
from methods.cameras import evaluation_ring
from methods.contracts import Rendering, View, ViewPrompt
from methods.distillation import methods
from methods.priors import load_prior

README = Path(__file__).parent.parent / "README.md"


def test_the_method_of_the_readme_is_short_and_works(tmp_path: Path, monkeypatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert code.count("\n") <= 30
    (tmp_path / "x0.py").write_text(code)
    methods.names()  # all that ship are there before it is added
    monkeypatch.setattr(methods, "_found", dict(methods._found))  # and it is gone again afterwards
    specification = importlib.util.spec_from_file_location("x0", tmp_path / "x0.py")
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(__import__("sys").modules, "x0", module)
    specification.loader.exec_module(module)

    prior = load_prior("gaussian")
    method = methods["x0"]().calibrated(prior)
    rgb = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    blank = torch.ones(2, 1, 16, 16)
    view = View(Rendering(rgb, blank, blank), evaluation_ring(2), prior)
    prompt = ViewPrompt(prior.embed(["a car"] * 2), prior.embed([""] * 2), prior.embed([""] * 2))
    out = method(view, prior=prior, prompt=prompt, progress=0.5, streams=make_streams(0, "readme"), state={})
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    torch.testing.assert_close(gradient, (view.latents - out.target).detach() / 2)
