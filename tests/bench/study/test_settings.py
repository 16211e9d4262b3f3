from __future__ import annotations

import dataclasses
import inspect
import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

from bench.cells.optimisation import Optimisation
from bench.errors import InputError
from bench.records.record import Failure, Record, RecordedView, Snapshot
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.settings import (
    CellSettings,
    DivergenceSettings,
    EvaluationSettings,
    OptimiserSettings,
    RenderSettings,
)
from bench.study.study import Study, load_study, parse_study, study_names
from bench.watch.divergence import Divergence, Status
from bench.watch.environment import Environment
from bench.watch.telemetry import Event, Memory, PhaseSeconds, StepSeconds
from methods.camera_range import CameraRange
from methods.contracts import Prior
from methods.priors import priors
from methods.weights import read_card
from metrics import metrics

MODELS = [
    RenderSettings, EvaluationSettings, OptimiserSettings, DivergenceSettings, Study, Cell, Record, Failure,
    RecordedView, Snapshot, Divergence, Environment, Event, Memory, PhaseSeconds, StepSeconds,
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_stored_field_is_documented(model: type[BaseModel]) -> None:
    undocumented = [name for name, field in model.model_fields.items() if not field.description]
    assert undocumented == []


def test_a_study_s_cameras_are_a_camera_range(study: Study) -> None:
    moved = {"distance": [1.5, 2], "position_jitter": 0.1, "up_jitter": 0.02, "sphere_share": 0.5}
    found = parse_study(study.model_dump(mode="json") | {"cameras": moved}, where="")
    assert study.cameras == CameraRange()
    assert found.cameras == CameraRange(distance=(1.5, 2.0), position_jitter=0.1, up_jitter=0.02, sphere_share=0.5)
    assert parse_study(found.model_dump(mode="json"), where="") == found
    source = inspect.getsource(CameraRange)
    for field in dataclasses.fields(CameraRange):
        assert re.search(rf'\n    {field.name}: .*\n    """', source), field.name


def test_jitter_of_0_leaves_a_cell_s_identity_as_it_was_without_the_setting(cell: Cell) -> None:
    assert "position_jitter" not in cell.model_dump_json()
    fields = json.loads(cell.model_dump_json())
    fields["cameras"] |= {"position_jitter": 0.0, "up_jitter": 0.0, "sphere_share": 0.0}
    assert Cell.model_validate_json(json.dumps(fields)).identity == cell.identity
    fields["cameras"]["up_jitter"] = 0.02
    assert Cell.model_validate_json(json.dumps(fields)).identity != cell.identity


def test_every_status_is_documented_in_the_source() -> None:
    assert {str(status) for status in Status if status.diverged} == {"empty", "opaque", "nan", "frozen"}
    assert len(Status) == 8


def test_a_cell_without_snapshots_is_what_it_was_before_there_were_any(cell: Cell, study: Study) -> None:
    names = {"views", "resolution", "elevation_deg", "distance", "fovy_deg", "background"}
    assert cell.model_dump(mode="json")["evaluation"].keys() == names
    asked = parse_study(study.model_dump(mode="json") | {"evaluation": {"snapshots": [0.5]}}, where="")
    plain = parse_study(study.model_dump(mode="json") | {"evaluation": {"snapshot_views": 7}}, where="")
    assert plain.model_dump(mode="json")["evaluation"].keys() == names
    assert asked.key != plain.key
    assert asked.evaluation.snapshots == (0.5,)
    again = EvaluationSettings.model_validate_json(asked.evaluation.model_dump_json())
    assert again == asked.evaluation


def test_snapshots_are_steps_and_places_in_the_ring() -> None:
    asked = EvaluationSettings(snapshots=(0.01, 0.25, 0.5, 0.99), views=24)
    assert asked.snapshot_steps(1000) == [10, 250, 500, 990]
    assert asked.snapshot_steps(4) == [1, 2, 4]
    assert asked.snapshot_places() == [0, 6, 12, 18]
    assert asked.model_copy(update={"views": 3}).snapshot_places() == [0, 1, 2]
    assert EvaluationSettings().snapshot_steps(1000) == []


@pytest.mark.parametrize(
    ("snapshots", "message"),
    [
        ([0.5, 0.25], "evaluation.snapshots = [0.5, 0.25]: must rise, such as [0.25, 0.5, 0.75]"),
        ([0.5, 0.5], "evaluation.snapshots = [0.5, 0.5]: must rise"),
        ([0.0], "evaluation.snapshots.0 = 0.0: input should be greater than 0"),
        ([1.0], "evaluation.snapshots.0 = 1.0: input should be less than 1"),
        (0.5, "evaluation.snapshots = 0.5: must be a list"),
    ],
)
def test_wrong_snapshots_are_reported(study: Study, snapshots: Any, message: str) -> None:
    fields = study.model_dump(mode="json") | {"evaluation": {"snapshots": snapshots}}
    with pytest.raises(InputError) as caught:
        parse_study(fields, where="x")
    assert message in str(caught.value)


def test_resolution_is_one_or_rises_step_by_step(study: Study) -> None:
    assert RenderSettings().resolution_at(0.7) == 32
    assert RenderSettings().model_dump(mode="json")["resolution"] == 32
    fields = study.model_dump(mode="json") | {"render": {"resolution": [[0.0, 64], [0.2, 512], [0.5, 256]]}}
    render = parse_study(fields, where="").render
    progress = (0.0, 0.1999, 0.2, 0.4, 0.5, 1.0)
    assert [render.resolution_at(now) for now in progress] == [64, 64, 512, 512, 256, 256]
    assert RenderSettings.model_validate_json(render.model_dump_json()) == render
    assert parse_study(fields, where="").key != study.key


@pytest.mark.parametrize(
    ("resolution", "message"),
    [
        (3, "render.resolution = 3: input should be greater than or equal to 4"),
        ("64", "render.resolution = '64': input should be a valid integer"),
        (True, "render.resolution = True: input should be a valid integer"),
        (64.5, "render.resolution = 64.5: input should be a valid integer"),
        ([], "must be pixels, or steps from progress 0 on that rise, such as [[0.0, 64], [0.2, 512]]"),
        ([[0.1, 64]], "must be pixels, or steps from progress 0 on that rise"),
        ([[0.0, 64], [0.0, 512]], "must be pixels, or steps from progress 0 on that rise"),
        ([[0.0, 64], [1.5, 512]], "entry 1.0: Input should be less than or equal to 1"),
        ([[0.0, 64], [0.2]], "entry 1.1: Field required"),
        ([[0.0, 4096]], "entry 0.1: Input should be less than or equal to 2048"),
    ],
)
def test_a_wrong_resolution_is_reported_in_one_line(study: Study, resolution: Any, message: str) -> None:
    fields = study.model_dump(mode="json") | {"render": {"resolution": resolution}}
    with pytest.raises(InputError) as caught:
        parse_study(fields, where="here")
    assert message.lower() in str(caught.value).lower()
    assert "\n" not in str(caught.value)


def test_renders_follow_the_steps_of_the_resolution(study: Study, prior: Prior, monkeypatch) -> None:
    render = RenderSettings.model_validate_json('{"resolution": [[0.0, 4], [0.5, 8]]}')
    cell = expand(study.model_copy(update={"render": render, "steps": 5}))[0]
    loop, seen = Optimisation(cell, prior), []
    original = loop.scene.render

    def spied(cameras: Any, *, resolution: int, **more: Any) -> Any:
        seen.append(resolution)
        return original(cameras, resolution=resolution, **more)

    monkeypatch.setattr(loop.scene, "render", spied)
    for _ in loop:
        pass
    assert seen == [4, 4, 8, 8, 8]  # at progress 0, 1/4, 1/2, 3/4 and 1


#: Steps, and sides at the start and at the end: SDI paper, table 1, and the configurations of threestudio@28d9d80.
TABLE_1 = {
    "sds": (10_000, 64, 64),
    "sjc": (10_000, 64, 64),
    "vsd": (25_000, 64, 512),
    "esd": (25_000, 64, 512),
    "hifa": (25_000, 512, 512),
    "sdi": (10_000, 512, 512),
    "sdi-code": (10_000, 512, 512),
    "nfsd": (10_000, 64, 64),
    "ism": (10_000, 512, 512),
    "ism-code": (10_000, 512, 512),
}
#: What a machine without a GPU has in place of the scene's fused kernels.
ON_A_CPU = {"marching": {"name": "occupancy", "samples": 14}, "occupancy": {"resolution": 2}}


def _without_a_gpu(study: Study) -> Study:
    """The study on the closed-form prior, its arms without the parts that need a GPU or weights."""
    fields = study.model_dump(mode="json")
    fields |= {"prior": "gaussian", "scorers": "toybox", "prompt_ids": [study.chosen_prompts()[0].id]}
    if fields["scene"]["name"] == "nerf":
        fields["scene"] = _small(fields["scene"]) | ON_A_CPU
    for arm in fields["methods"].values():
        if "scene" in arm.get("settings", {}):
            arm["settings"]["scene"] = _small(arm["settings"]["scene"])
    return parse_study(fields, where="")


def _small(scene: dict[str, Any]) -> dict[str, Any]:
    """The scene with a table of 16 rows per level."""
    encoding = scene.get("encoding")
    if not isinstance(encoding, dict):
        return scene
    if encoding.get("name") == "hash_grid":
        return scene | {"encoding": encoding | {"log2_table_size": 4}}
    return scene | {"encoding": encoding | {"encoding": {"name": "hash_grid", "log2_table_size": 4, "levels": 16}}}


@pytest.mark.usefixtures("run_of_base")
@pytest.mark.parametrize("name", study_names())
def test_every_shipped_study_expands(name: str) -> None:
    study = load_study(name)
    cells = expand(_without_a_gpu(study))
    assert [cell.label for cell in cells] == list(study.methods) * len(study.seeds)
    columns = {column.name for metric in metrics.names() for column in metrics[metric].columns}
    for figure in study.figures:
        assert set(figure.metrics) <= columns | {"optimise_seconds", "unet_rows"}
        if figure.kind == "sweep":
            assert len({_at(cell.model_dump(mode="json"), figure.x) for cell in cells} - {None}) > 2


def _at(fields: Any, path: str) -> Any:
    for key in path.split("."):
        fields = fields.get(key) if isinstance(fields, dict) else None
    return fields


_ABLATIONS = [name for name in study_names() if name.startswith("ablation_") and name.endswith("_sd21")]


@pytest.mark.parametrize("name", _ABLATIONS)
def test_the_ablations_on_stable_diffusion_are_those_of_the_toybox(name: str) -> None:
    small, large = load_study(name.removesuffix("_sd21")), load_study(name)
    assert len(large.chosen_prompts()) == 43
    assert (large.prior.name, large.guidance) == ("sd21", "published")
    assert "ground_truth" not in large.metrics
    known = {"truth", "flat"}  # which the paper's prompts have not
    assert large.controls == tuple(name for name in small.controls if name not in known)
    assert [figure.name for figure in large.figures] == [figure.name for figure in small.figures]
    words = {label.rstrip("-0123456789") for label in small.methods}
    assert {label.rstrip("-0123456789") for label in large.methods} == words
    if large.scene["name"] == "nerf":
        table = load_study("table2_ism")
        assert (large.scene, large.cameras, large.evaluation) == (table.scene, table.cameras, table.evaluation)
    else:
        assert large.evaluation.resolution == 512


@pytest.mark.parametrize("name", ["table1", "table2_ism"])
def test_the_paper_s_tables_expand(name: str) -> None:
    study = load_study(name)
    cells = {cell.label: cell for cell in expand(_without_a_gpu(study))}
    assert set(cells) == set(study.methods)
    for label, (steps, first, last) in TABLE_1.items():
        if label in cells:
            cell = cells[label]
            assert cell.steps == {"table1": steps, "table2_ism": 5000}[name]
            assert (cell.render.resolution_at(0.1), cell.render.resolution_at(0.2)) == (first, last)
            assert cell.scene["radius"] == 2.0
    assert cells["sdi"].hyper_parameters["inversion"]["gamma_inv"] == -7.5  # published, not the prior's
    # a summed loss under the weights of a mean over 4 · 64 · 64 latents, or relative weights, which are not scaled
    factor = 1 if study.of_arm("sdi").penalties == "relative" else 4 * 64 * 64
    released = {"orient": 0.1, "opaque": 0.1, "z_variance": 1.0, "sparsity": [0.0, 0.15, 0.0, 0.3],
                "convex": [0.0, 1.0, 0.1, 0.4]}  # fmt: skip
    for penalty, weight in released.items():
        scaled = factor * weight if isinstance(weight, float) else [
            weight[0], factor * weight[1], factor * weight[2], weight[3]
        ]  # fmt: skip
        assert cells["sdi"].scene["penalties"][penalty] == pytest.approx(scaled)


@pytest.mark.parametrize("name", ["table1", "table1-smoke", "table2_ism"])
def test_the_paper_s_grid_is_that_of_sdi_yaml_and_names_no_package(name: str) -> None:
    grid = {"name": "hash_grid", "levels": 16, "log2_table_size": 19, "base_resolution": 16, "layout": "tiny_cuda_nn"}
    grid |= {"finest_resolution": 4096}  # per_level_scale 1.447269237440378
    study = load_study(name)
    for label in study.methods:
        scene = study.of_arm(label).scene
        assert scene["encoding"].get("encoding", scene["encoding"]) == grid, label  # in bands or not
        assert "backend" not in scene["marching"], label


def test_the_small_table_is_the_table_but_for_its_length() -> None:
    table, small = load_study("table1"), load_study("table1-smoke")
    same = {"steps": 50, "prompt_ids": small.prompt_ids, "name": small.name, "title": small.title,
            "description": small.description, "published": []}  # fmt: skip
    fields = table.model_dump(mode="json") | same
    for arm in fields["methods"].values():
        arm.get("settings", {}).pop("steps", None)
    assert parse_study(fields, where="") == small


def test_clipping_is_by_default_what_the_toybox_s_own_samples_chose() -> None:
    card = read_card(priors["toybox"].folder())
    trials = {name: trial["all"] for name, trial in card["calibration"].items() if isinstance(trial, dict)}
    best = max(trials, key=trials.__getitem__)
    assert best == f"{card['calibration']['bound']}, {card['guidance_scale']}"
    assert CellSettings.model_fields["bound"].default == card["calibration"]["bound"]
