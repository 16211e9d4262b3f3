"""The examples of the package's README run as they stand there."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest
import torch

from methods import contracts
from methods.diffusion.schedules import schedules
from methods.distillation import methods
from methods.inversion import strategies
from methods.priors import priors, suite_of
from methods.priors.loading import folder_of, hub_of
from methods.weights import WeightsMissingError

README = Path(contracts.__file__).parent / "README.md"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that imports the example with a given text; what it registers is removed after the test."""
    for registry in (schedules, strategies, priors):
        registry.names()  # loads all that ship
        monkeypatch.setattr(registry, "_found", dict(registry._found))

    def load(text: str) -> ModuleType:
        blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
        [code] = [block for block in blocks if text in block]
        (tmp_path / "example.py").write_text(code, encoding="utf-8")
        specification = importlib.util.spec_from_file_location("example", tmp_path / "example.py")
        module = importlib.util.module_from_spec(specification)
        monkeypatch.setitem(sys.modules, "example", module)
        specification.loader.exec_module(module)
        return module

    return load


def test_the_schedule_falls_like_half_a_cosine(example, prior) -> None:
    example("@schedules.register")
    schedule = schedules["cosine"]()
    timesteps = [schedule(prior, progress, 2, torch.Generator()).tolist() for progress in (0.0, 0.25, 0.5, 1.0)]
    assert timesteps == [[980, 980], [839, 839], [500, 500], [20, 20]]
    with pytest.raises(ValueError, match="low, high"):
        schedules["cosine"](high=9.0)


def test_the_strategy_serves_every_method_that_infers_noise(example, prior, prompt, make_view, make_streams) -> None:
    example("@strategies.register")
    view = make_view(prior, torch.zeros(2, 3, 16, 16))
    tried = []
    for name in methods.names():
        if "inversion" not in {field.name for field in fields(methods[name])}:
            continue
        method = methods[name](inversion=strategies["slow"]())
        tried.append(name)
        method(view, prior=prior, prompt=prompt, progress=0.5, streams=make_streams(), state=method.start(prior))
    assert {"sds", "sdi", "dsd", "asyncsd"} <= set(tried)


def test_the_strategy_s_noise_is_standard_correlated_and_continues_from_its_state(
    example, prior, prompt, make_view, make_streams
) -> None:
    example("@strategies.register")
    strategy, streams = strategies["slow"](), make_streams()
    view = make_view(prior, torch.zeros(64, 3, 16, 16))

    def step(state) -> torch.Tensor:
        t = torch.full((64,), 500)
        return strategy(view, t, prior=prior, prompt=prompt, streams=streams, state=state)

    state = strategy.start(prior)
    first, second = step(state), step(state)
    for kappa in (first, second):
        assert float(kappa.std()) == pytest.approx(1.0, abs=0.02)
    assert float((first * second).mean()) == pytest.approx(0.9, abs=0.02)

    resumed = strategy.start(prior)
    resumed["slow"].load_state_dict({"value": state["slow"].state_dict()["value"].clone()})
    position = streams["noise"].get_state()
    third = step(state)
    streams["noise"].set_state(position)
    assert torch.equal(step(resumed), third)
    streams["noise"].set_state(position)
    assert not torch.equal(step(strategy.start(prior)), third)


def test_the_prior_has_its_name_repository_and_variable(example, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path / "home"))
    monkeypatch.delenv("MY_PRIOR", raising=False)
    priors.register("mine")(example("PriorSource(").source)  # as the entry point does
    assert suite_of("mine") == "sd21"
    assert hub_of("mine").origin()[:2] == ("owner/name", "revision")
    with pytest.raises(WeightsMissingError, match="run: sdibench fetch mine"):
        folder_of("mine")
    monkeypatch.setenv("MY_PRIOR", str(tmp_path))
    assert folder_of("mine") == tmp_path
