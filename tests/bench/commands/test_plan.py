from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
import torch
from rich.console import Console

import bench.commands.plan
from bench.commands.plan import print_plan
from bench.errors import InputError
from bench.forecast.gpus import gpus
from bench.records.store import RunStore
from bench.study.study import Study, load_study

_TOO_FEW = ", whatever their scores: it takes "


def _printed(study: Study, store: RunStore, **named: float) -> tuple[list[list[str]], list[str]]:
    """The table's rows, and the lines below it, without the one that says that a small study has no verdicts."""
    console = Console(file=io.StringIO(), width=250)
    print_plan(study, store, console, **named)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    rows = [[word.strip() for word in line.split("│")[1:-1]] for line in lines if "│" in line]
    end = next(index for index, line in enumerate(lines) if line.startswith("└"))
    return rows, [line for line in lines[end + 1 :] if _TOO_FEW not in line]


def test_a_plan_of_nothing_done_times_steps_and_writes_nothing(study: Study, tmp_path: Path) -> None:
    (sds, sdi, total), below = _printed(study, RunStore(tmp_path / "run"))
    assert (sds[:4], sdi[:4], total[:4]) == (["sds", "2", "0", "2"], ["sdi", "2", "0", "2"], ["all", "4", "0", "4"])
    assert sds[-1] == sdi[-1] == "timed steps"
    assert sds[6].endswith(" GB")
    assert sds[7].endswith(" MB")
    assert below[0].startswith("left: 0.0 CPU-hours on ")
    assert below[0].endswith("are free")
    assert not (tmp_path / "run").exists()


def test_too_few_prompts_for_a_verdict_are_said_before_the_run(study: Study, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=250)
    print_plan(study, RunStore(tmp_path / "run"), console)
    line = "2 prompts cannot tell the other method from sds, whatever their scores: it takes 6\n"
    assert line in console.file.getvalue()  # type: ignore[attr-defined]
    twelve = study.model_copy(update={"methods": {f"arm-{index}": {} for index in range(12)}})
    assert bench.commands.plan._too_few(twelve) == [
        f"2 prompts cannot tell 11 methods from {study.baseline}, whatever their scores: it takes 9"
    ]
    assert bench.commands.plan._too_few(study.model_copy(update={"methods": {"sds": {}}})) == []
    assert bench.commands.plan._too_few(load_study("rivals")) == []


def test_a_name_that_only_the_report_needs_is_refused(study: Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tiny: published = 'tabel1': no such table; did you mean 'table1'"):
        print_plan(study.model_copy(update={"published": ("tabel1",)}), RunStore(tmp_path / "run"), Console())


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_plan_breaks_no_word_on_any_terminal(width: int, finished: RunStore) -> None:
    console = Console(file=io.StringIO(), width=width)
    print_plan(finished.read_study(), finished, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    table = [line for line in text.splitlines() if line[:1] in "┏┃│├└"]
    assert bool(table) == (width >= 80)
    assert all(len(line) <= width for line in table)
    assert "…" not in text
    for words in ("missing", "per cell", "2 records", "left: "):
        assert words in text


def test_a_plan_of_a_finished_run_is_from_its_records(study: Study, finished: RunStore) -> None:
    (sds, _sdi, total), _ = _printed(study, finished)
    assert sds[:4] == ["sds", "2", "2", "0"]
    assert sds[-1] == "2 records"
    assert (total[5], total[7]) == ("0.0 s", "0.0 MB")


def test_disk_is_what_the_finished_cells_take(study: Study, finished: RunStore) -> None:
    (sds, *_), _ = _printed(study.model_copy(update={"seeds": (0, 1, 2)}), finished_as(finished, seeds=(0, 1, 2)))
    sizes = [sum(file.stat().st_size for file in cell.rglob("*") if file.is_file() and file.name != "record.json")
             for cell in finished.folder.glob("cells/sds--*")]  # fmt: skip
    assert sds[:4] == ["sds", "6", "2", "4"]
    assert float(sds[7].removesuffix(" MB")) == pytest.approx(4 * sum(sizes) / 2 / 1e6, abs=0.051)


def test_prompts_that_are_cut_and_words_that_are_unknown_are_named(study: Study, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("a plate piled high with chocolate chip cookies\na blue duck\na frog\n")
    ours = study.model_copy(update={"prompts": str(tmp_path / "long.txt"), "prompt_ids": None})
    toybox = ours.model_copy(update={"prior": study.prior.model_copy(update={"name": "toybox"})})
    _, below = _printed(toybox, RunStore(tmp_path / "run"), timing_seconds=0.0)
    cut, unknown = below
    assert cut == (
        "1 of 3 prompts are too long for the prior's text encoder and lose up to 15 tokens at their end (view words "
        "are kept): a-plate-piled-high-with-chocolate-chip-cookies; the prior toybox reads 24 tokens"
    )
    assert unknown.startswith("8 words in 2 of 3 prompts are unknown to the prior toybox, which reads them letter by")
    assert unknown.endswith(": plate, piled, high, with, chocolate and 3 more")
    arm = {"sds": {"settings": {"view_prompts": "none"}}}  # as an arm's own setting: three tokens fewer
    _, below = _printed(toybox.model_copy(update={"methods": arm}), RunStore(tmp_path / "run"), timing_seconds=0.0)
    assert "lose up to 12 tokens" in below[0]
    _, below = _printed(ours, RunStore(tmp_path / "run"), timing_seconds=0.0)  # a prior without a tokenizer
    assert below == []


@pytest.mark.parametrize("scene", ["image", "latent"])
def test_arms_whose_scene_has_no_sides_are_named_if_their_prompts_name_them(
    study: Study, tmp_path: Path, scene: str
) -> None:
    flat = study.model_copy(update={"methods": {"sds": {}, "sdi": {"settings": {"scene": {"name": scene}}}}})
    _, below = _printed(flat, RunStore(tmp_path / "run"), timing_seconds=0.0)
    assert below == ['the scene of sdi has no sides, and its prompts name them; set view_prompts = "none"']
    without = flat.model_copy(update={"view_prompts": "none"})
    assert _printed(without, RunStore(tmp_path / "run"), timing_seconds=0.0)[1] == []


def test_prompts_that_a_scorer_does_not_read_to_the_end_are_named_by_column(study: Study, tmp_path: Path) -> None:
    """By tokenizers alone, and a line for each model, without those that are not fetched."""
    long = " ".join(["a blue duck"] * 6)
    longer = " ".join(["a blue duck"] * 13)
    (tmp_path / "long.txt").write_text(f"{long}\na blue duck\n{longer}\n")
    metrics = ("clip_score", "image_reward", "ground_truth", "r_precision", "clip_iqa")
    ours = study.model_copy(update={"prompts": str(tmp_path / "long.txt"), "prompt_ids": None, "metrics": metrics})
    _, below = _printed(ours, RunStore(tmp_path / "run"), timing_seconds=0.0)
    ids = [prompt.id for prompt in ours.chosen_prompts()]
    assert below == [
        "2 of 3 prompts are too long for the text encoder of CLIP and R-precision, which reads 16 tokens and not their "
        f"end: {ids[0]}, {ids[2]}",
        "1 of 3 prompts are too long for the text encoder of ImageReward, which reads 35 tokens and not their end: "
        f"{ids[2]}",
    ]


def test_a_metric_whose_own_model_is_missing_is_a_line_of_the_plan(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SDIBENCH_VQA", raising=False)
    asked = study.model_copy(update={"metrics": ("vqa_score", "clip_score")})
    _, below = _printed(asked, RunStore(tmp_path / "run"), timing_seconds=0.0)
    assert below == [
        "cannot be scored here: vqa_score: needs a model that answers questions; set SDIBENCH_VQA to a folder with "
        "Salesforce/instructblip-flan-t5-xl (config.json, *.safetensors, tokenizer files)"
    ]


def finished_as(store: RunStore, **update: object) -> RunStore:
    """The same records in the folder of a larger study."""
    study = store.read_study().model_copy(update=update)
    (store.folder / "study.json").write_text(study.model_dump_json())
    return store


def test_another_run_next_to_it_is_the_forecast_of_more_steps(study: Study, finished: RunStore) -> None:
    longer = study.narrow(steps=4000)
    rows, _ = _printed(longer, RunStore(finished.folder.parent / "longer"), timing_seconds=0.0)
    assert [row[-1] for row in rows[:2]] == ["2 records of another run"] * 2
    assert rows[0][4] not in ("?", "0.0 s")  # a thousand times the steps of what takes a tenth of a second
    shutil.rmtree(finished.folder)
    rows, _ = _printed(longer, RunStore(finished.folder.parent / "longer"), timing_seconds=0.0)
    assert rows[0][-1] == "none: the 0 s for timing were used up"
    assert rows[2] == ["all", "4", "0", "4", ""]


def test_a_run_of_the_same_prior_under_another_path_is_a_forecast_too(study: Study, finished: RunStore) -> None:
    for folder in finished.record_folders():
        path = folder / "record.json"
        fields = json.loads(path.read_text())
        fields["cell"]["prior"]["name"] = "/elsewhere/gaussian"
        path.write_text(json.dumps(fields))
    rows, _ = _printed(study.narrow(steps=9), RunStore(finished.folder.parent / "longer"), timing_seconds=0.0)
    assert [row[-1] for row in rows[:2]] == ["2 records of another run"] * 2


def test_a_disk_that_is_too_small_is_reported(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.commands.plan, "free_disk_bytes", lambda folder: 10)
    _, below = _printed(study, RunStore(tmp_path / "run"))
    assert f"the disk of {tmp_path}/run is too small for all cells; give a folder on a larger one" in below[1]


def test_gpu_memory_is_held_against_what_is_free(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.commands.plan, "device_here", lambda study: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (20 * 10**9, 24 * 10**9))
    _, below = _printed(study, RunStore(tmp_path / "run"))
    assert "GB at the peak, 20.0 GB of 24.0 GB are free" in below[0]


def test_a_study_whose_weights_are_missing_still_shows_its_cells_with_an_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.delenv("SDIBENCH_SD21", raising=False)
    study = load_study("table1").narrow(methods=["sds"])
    scene = {"name": "nerf", "marching": {"name": "occupancy", "samples": 14}}
    rows, below = _printed(study.model_copy(update={"scene": scene}), RunStore(tmp_path / "run"))
    rows = rows[:2]  # a second table has the operations of a step
    assert [row[0] for row in rows] == [*study.methods, "all"]
    assert {tuple(row[1:4]) for row in rows[:-1]} == {("43", "?", "43")}
    assert {row[-1] for row in rows[:-1]} == {"estimated, on RTX A6000"}
    assert any(line.startswith(f"cannot run here: prior sd21: no weights in {tmp_path}/none") for line in below)


def test_an_estimate_is_for_the_gpu_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["NVIDIA RTX A6000", "NVIDIA H100 80GB HBM3"]
    current = [0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: current.append(torch.device(device).index))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: names[current[-1]])
    for device, key in (("cuda", "a6000"), ("cuda:1", "h100")):
        monkeypatch.setenv("SDIBENCH_DEVICE", device)
        assert bench.commands.plan._gpu_here() is gpus[key]


def test_missing_weights_of_one_arm_s_prior_are_named(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.delenv("SDIBENCH_SD21", raising=False)
    arms = {"sds": {}, "large": {"method": "sds", "settings": {"prior": "sd21"}}}
    rows, below = _printed(study.model_copy(update={"methods": arms}), RunStore(tmp_path / "run"))
    assert [row[0] for row in rows[:2]] == ["sds", "large"]
    assert any(line.startswith(f"cannot run here: prior sd21: no weights in {tmp_path}/none") for line in below)


@pytest.mark.parametrize(
    ("prior", "sha256", "forecast", "line"),
    [
        ("/none/such", "none", "2 records, on ", "/none/such: there is no such folder"),
        ("of-a-package", "none", "2 records, on ", "unknown prior 'of-a-package'"),
        ("gaussian", "f" * 64, "not its prior, see below", "its weights have SHA-256 none, and the"),
    ],
)
def test_a_run_without_its_prior_still_shows_what_is_done(
    finished: RunStore, prior: str, sha256: str, forecast: str, line: str
) -> None:
    held = finished.read_study()
    facts = held.pinned.prior.model_copy(update={"weights_sha256": sha256})
    pinned = held.pinned.model_copy(update={"prior": facts})
    moved = held.model_copy(update={"prior": held.prior.model_copy(update={"name": prior}), "pinned": pinned})
    finished.write_study(moved)
    (sds, *_), below = _printed(moved, finished)
    assert sds[:4] == (["sds", "2", "2", "0"] if sha256 == "none" else ["sds", "2", "0", "2"])
    assert sds[-1].startswith(forecast)
    assert any(text.startswith("cannot run here: ") and line in text for text in below)


def test_a_missing_package_is_reported_and_records_are_still_counted(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(study: Study) -> None:
        raise bench.commands.plan.NotInstalledError("scene: needs a package")

    monkeypatch.setattr(bench.commands.plan, "check_scenes", refuse)
    finished.set_aside(finished.cell_folder(next(iter(bench.commands.plan.expand(study)))))
    (sds, *_), below = _printed(study, finished)
    assert sds[:4] == ["sds", "2", "1", "1"]
    assert sds[-1] == "1 record"
    assert "cannot run here: scene: needs a package" in below
