from __future__ import annotations

import dataclasses

import pytest
from pydantic import BaseModel

from bench.cell import Cell
from bench.divergence import Divergence, Status
from bench.environment import Environment
from bench.record import Failure, Record, RecordedView
from bench.settings import CameraSettings, DivergenceSettings, EvaluationSettings, OptimiserSettings, RenderSettings
from bench.study import Study
from bench.telemetry import Event, Memory, PhaseSeconds
from methods.scenes.cameras import CameraRange

MODELS = [
    CameraSettings, RenderSettings, EvaluationSettings, OptimiserSettings, DivergenceSettings, Study, Cell, Record,
    Failure, RecordedView, Divergence, Environment, Event, Memory, PhaseSeconds,
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_stored_field_is_documented(model: type[BaseModel]) -> None:
    undocumented = [name for name, field in model.model_fields.items() if not field.description]
    assert undocumented == []


def test_cameras_are_those_of_the_scenes() -> None:
    assert CameraSettings().model_dump() == dataclasses.asdict(CameraRange())


def test_every_status_is_documented_in_the_source() -> None:
    assert {str(status) for status in Status if status.diverged} == {"empty", "opaque", "nan", "frozen"}
    assert len(Status) == 8
