from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

import bench.study.pinning
import methods.priors.loading
from bench.errors import InputError
from bench.study.expand import expand
from bench.study.pinning import pin
from bench.study.study import Study, load_study, parse_study, study_names
from methods.contracts import Prior
from methods.distillation.sds import SDS
from methods.priors.loading import load_prior
from methods.registry import UnknownNameError
from prompts import PromptSetError


def test_all_methods_of_a_prompt_stand_together(study: Study) -> None:
    cells = expand(study.model_copy(update={"seeds": (0, 1)}))
    assert [(cell.seed, cell.prompt_id, cell.label) for cell in cells] == [
        (seed, prompt_id, label)
        for seed in (0, 1)
        for prompt_id in ("blue-duck", "red-striped-car")
        for label in ("sds", "sdi")
    ]
    assert len({cell.identity for cell in cells}) == 8


def test_guidance_is_the_priors_or_the_papers_and_what_is_given_stands_above_both(study: Study) -> None:
    sdi = expand(study)[1].hyper_parameters
    assert (sdi["gamma_fwd"], sdi["inversion"]["gamma_inv"]) == (2.0, -2.0)  # of the closed-form prior
    published = study.model_copy(update={"guidance": "published"})
    assert expand(published)[1].hyper_parameters["gamma_fwd"] == 7.5
    arm = {"method": "sdi", "gamma_fwd": 9.0, "inversion": {"name": "ddim", "inversion_steps": 3}}
    hot = expand(study.model_copy(update={"methods": {"hot": arm}, "baseline": "hot"}))[0]
    assert (hot.label, hot.method, hot.hyper_parameters["gamma_fwd"]) == ("hot", "sdi", 9.0)
    assert hot.hyper_parameters["inversion"] == {"name": "ddim", "gamma_inv": -2.0, "inversion_steps": 3, "eta": 0.3}


def test_an_arm_may_have_another_scene_and_render_but_is_evaluated_like_the_others(study: Study) -> None:
    arms = {
        "sds": {},
        "small": {
            "method": "sds",
            "settings": {"steps": 2, "render": {"resolution": 4}, "scene": {"marching": {"samples": 5}}},
        },
    }
    sds, small = expand(study.model_copy(update={"methods": arms, "prompt_ids": ("blue-duck",)}))
    assert (sds.steps, sds.render.resolution, sds.scene["marching"]["samples"]) == (4, 8, 14)
    assert (small.steps, small.render.resolution, small.scene["marching"]["samples"]) == (2, 4, 5)
    assert small.render.background == sds.render.background
    assert small.evaluation == sds.evaluation


def test_without_prompt_ids_the_whole_set_is_run(study: Study) -> None:
    assert len(expand(study.model_copy(update={"prompt_ids": None}))) >= 2 * 12


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("[methods.sdi]", "[methods.sdii]", InputError, r"methods.sdii: unknown method 'sdii': did you mean sdi"),
        ("[methods.sdi]", "[methods.sdi]\ngama_fwd = 1.0", InputError,
            "methods.sdi: unknown key 'gama_fwd': did you mean"),
        ("[methods.sdi]", "[methods.sdi]\ntau = -1.0", InputError,
            "methods.sdi: tau: -1.0 is not zero or a positive fraction"),
        ("[methods.sds]", "[methods.sds]\nguidance_scale = -3.0", InputError,
            "^tiny: methods.sds: guidance_scale: -3.0 is negative; guidance goes towards the prompt"),
        ("[methods.sdi]", "[methods.sdi]\ngamma_fwd = -3.0", InputError, "methods.sdi: gamma_fwd: -3.0 is negative"),
        ("[methods.sdi]", "[methods.sdi]\ninversion = 3", InputError,
            "methods.sdi.inversion = 3: must be a table with a key name"),
        ("[methods.sdi]", '[methods.sdi]\ninversion.name = "dddim"', InputError,
            "methods.sdi.inversion: unknown inversion strategy 'dddim': did you mean ddim"),
        ("[methods.sdi]", '[methods.sdi]\ninversion = { name = "ddim", eta = -1.0 }', InputError,
            "methods.sdi.inversion: eta: -1.0 is not zero or a positive standard"),
        ("[methods.sdi]", "[methods.sdi]\nsettings.seeds = [1]", InputError,
            "methods.sdi.settings: unknown key 'seeds'"),
        ("[methods.sdi]", "[methods.sdi]\nsettings.render.resolution = 1", InputError,
            "methods.sdi.settings: render.resolution = 1: input should be greater"),
        ("samples = 14", "sampels = 8", InputError, "scene.marching: unknown key 'sampels': did you mean samples"),
        ('"nerf"', '"nefr"', InputError, "scene: unknown scene 'nefr': did you mean nerf"),
        ('"ground_truth"', '"ground_thruth"', UnknownNameError,
            "^tiny: metrics: unknown metric 'ground_thruth': did you mean ground_truth"),
        ('scorers = "toybox"', 'scorers = "toybx"', UnknownNameError,
            "^tiny: scorers: unknown suite of models 'toybx': did you mean toybox"),
        ('metrics = ["ground_truth"]', 'metrics = ["ground_truth"]\ncontrols = ["blnk"]', UnknownNameError,
            "^tiny: controls: unknown control 'blnk': did you mean blank"),
        ('prior = "gaussian"', 'prior = "gausian"', UnknownNameError,
            "^tiny: prior: unknown prior 'gausian': did you mean gaussian"),
        ('prompts = "toybox"', 'prompts = "toybxo"', PromptSetError,
            "^tiny: prompts: unknown prompt set 'toybxo': did you mean toybox"),
        ('"blue-duck"', '"blue-dukc"', PromptSetError, "^tiny: prompt_ids: unknown prompt .* 'blue-dukc'.*blue-duck"),
    ],
)  # fmt: skip
def test_wrong_names_and_values_stop_before_anything_runs(
    study_file: Path, old: str, new: str, error: type[Exception], message: str
) -> None:
    study_file.write_text(study_file.read_text().replace(old, new))
    with pytest.raises(error, match=message):
        expand(load_study(study_file))


def test_cells_are_named_without_loading_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan, score and report need nothing but names; loading Stable Diffusion takes a minute and 5 GB."""
    study = load_study("quick")
    loaded = [(cell.identity, cell.hyper_parameters) for cell in expand(study)]
    monkeypatch.setattr(bench.study.pinning, "known_prior", load_prior)
    assert loaded == [(cell.identity, cell.hyper_parameters) for cell in expand(study)]
    monkeypatch.undo()

    def refuse(*names: str) -> None:
        raise AssertionError(names)

    monkeypatch.setattr(methods.priors.loading, "load_prior", refuse)
    methods.priors.loading.cached_prior.cache_clear()
    assert [(cell.identity, cell.hyper_parameters) for cell in expand(study)] == loaded


def test_a_method_that_asks_for_more_than_the_card_gets_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    def calibrated(self: SDS, prior: Prior) -> SDS:
        return dataclasses.replace(self, guidance_scale=prior.guidance_scale * prior.resolution)

    monkeypatch.setattr(SDS, "calibrated", calibrated)
    cell = expand(load_study("quick").narrow(methods=["sds"]))[0]
    assert cell.hyper_parameters["guidance_scale"] == 4.0 * 64


@pytest.mark.usefixtures("run_of_base")
@pytest.mark.parametrize("name", [name for name in study_names() if load_study(name).prior.name == "toybox"])
def test_every_shipped_study_of_the_toybox_expands(name: str) -> None:
    study = load_study(name)
    cells = expand(study)
    assert {cell.label for cell in cells} == set(study.methods)
    assert len({cell.identity for cell in cells}) == len(cells)


def test_two_spellings_of_one_folder_give_one_identity(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(Path(methods.priors.__file__).parent / "weights" / "toybox", tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    fields = study.model_dump(mode="json")
    spellings = ("weights", "./weights/", str(tmp_path / "weights"), "toybox")
    cells = [expand(parse_study(fields | {"prior": name}, where=""))[0] for name in spellings]
    assert len({cell.prior.name for cell in cells}) == 4
    assert len({cell.identity for cell in cells}) == 1
    sampled = parse_study(fields | {"prior": {"name": "weights", "posterior": "sample"}}, where="")
    assert expand(sampled)[0].identity != cells[0].identity


def test_a_run_of_an_earlier_version_with_a_negative_guidance_scale_is_read(study_file: Path) -> None:
    study = pin(load_study(study_file))
    arms = {"sds": {"guidance_scale": -3.0}, "sdi": {}}
    assert len(expand(study.model_copy(update={"methods": arms}))) == 4
