"""The gate of ``compare``: when it fails, and what it names as not judged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from bench.cli import main
from bench.commands.compare import compare_runs
from bench.errors import InputError
from bench.records.store import RunStore

from .conftest import PROMPTS, change_records, change_scores, shifted


def test_a_gate_fails_where_a_condition_holds(
    pair: tuple[RunStore, RunStore], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = pair
    change_scores(b, shifted)
    folders = [str(b.folder), str(a.folder)]  # the other way round: a loss

    def status(*conditions: str) -> int:
        return main(["compare", *folders, "--fail-if", *conditions])

    assert main(["compare", *folders]) == 0
    assert status("psnr < -9.5", "sds.psnr < -0.5", "sdi.psnr.low < -15", "diverged > 0") == 0
    assert capsys.readouterr().err == ""
    assert status("psnr < -9.5", "psnr < -8.5") == 1
    captured = capsys.readouterr()
    assert captured.err == "sdibench: psnr < -8.5: holds for sdi, mean -9\n"
    assert captured.out.startswith("**")
    assert status("sdi.psnr.high < -4.5") == 1
    assert status("sdi.psnr.low < -20") == 0
    assert status("psnr <") == 2
    assert status("pnsr < 0") == 2
    assert "did you mean psnr" in capsys.readouterr().err


def test_few_prompts_give_a_mean_and_no_interval(finished: RunStore) -> None:
    comparison = compare_runs(finished, finished)
    assert comparison.estimates["sdi", "psnr"].interval.reason == "2 prompts, at least 6 are needed"
    assert comparison.judge(["psnr < -0.5"]) == []
    with pytest.raises(InputError, match="cannot tell: 2 prompts, at least 6 are needed"):
        comparison.judge(["psnr.low < -0.5"])


def test_the_table_is_printed_also_where_a_gate_cannot_tell(
    finished: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(finished.folder)
    assert main(["compare", folder, folder]) == 0
    table = capsys.readouterr().out
    assert main(["compare", folder, folder, "--fail-if", "psnr < -0.5", "psnr.low < -0.5"]) == 2
    out, error = capsys.readouterr()
    assert out == table
    assert error == "sdibench: --fail-if 'psnr.low < -0.5': the data cannot tell: 2 prompts, at least 6 are needed\n"


def test_a_gate_fails_where_cells_are_lost(pair: tuple[RunStore, RunStore], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = pair
    gate = ["compare", str(a.folder), str(b.folder), "--fail-if", "psnr < -1"]
    assert main(gate) == 0
    for path in b.folder.glob(f"cells/sdi--{PROMPTS[0]}--*"):
        shutil.rmtree(path)
    capsys.readouterr()
    assert main(gate) == 1
    out, error = capsys.readouterr()
    line = f"sdi: 2 of the cells in A have no record in {b.folder}"
    assert "sdi: 2 of the cells in A have no record in" in out
    assert error == f"sdibench: --fail-if: {line}\n"
    assert main(gate[:3]) == 0  # without a condition nothing fails
    for path in b.folder.glob("cells/sdi--*"):
        shutil.rmtree(path)
    capsys.readouterr()
    assert main(gate) == 1
    assert f"sdi: 14 of the cells in A have no record in {b.folder}" in capsys.readouterr().err


def test_a_smaller_study_has_lost_nothing(
    pair: tuple[RunStore, RunStore], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = pair
    study = a.read_study().narrow(methods=["sds"], prompt_ids=PROMPTS[:6], seeds=[0])
    b.write_study(study)
    assert main(["compare", str(a.folder), str(b.folder), "--fail-if", "psnr < -1", "sds.psnr < -1"]) == 0
    out, error = capsys.readouterr()
    assert f"sdi is in {a.folder} only." in out
    assert error == f"sdibench: psnr < -1: not judged: sdi is in {a.folder} only\n"
    assert main(["compare", str(b.folder), str(a.folder), "--fail-if", "psnr < -1"]) == 0
    out, error = capsys.readouterr()
    assert f"sdi is in {a.folder} only." in out
    assert not error


def _gate(pair: tuple[RunStore, RunStore], *conditions: str) -> int:
    return main(["compare", *(str(store.folder) for store in pair), "--fail-if", *conditions])


def test_a_gate_on_an_interval_passes_where_nothing_changed(
    pair: tuple[RunStore, RunStore], capsys: pytest.CaptureFixture[str]
) -> None:
    conditions = ("psnr.low < -0.5", "sds.psnr.high > 0.5", "diverged.high > 0", "optimise_seconds.high > 1.5")
    assert _gate(pair, *conditions) == 0
    assert not capsys.readouterr().err
    assert _gate(pair, "sds.psnr.low <= 0") == 1  # both ends are the mean
    assert "holds for sds, low 0" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "how"), [("empty", "diverged"), ("nan", "diverged"), ("crashed", "failed")])
@pytest.mark.parametrize("pattern", ["sdi--*", f"sdi--{PROMPTS[0]}--*", "*"])
def test_a_gate_fails_where_cells_that_completed_have_stopped(
    pair: tuple[RunStore, RunStore], capsys: pytest.CaptureFixture[str], status: str, how: str, pattern: str
) -> None:
    a, b = pair
    count = len(list(b.folder.glob(f"cells/{pattern}"))) // (2 if pattern == "*" else 1)
    change_records(b, lambda fields: fields.update(status=status), pattern)
    for condition in ("psnr < -0.5", "psnr.low < -0.5", "sds.ssim < -0.5"):
        assert _gate(pair, condition) == 1
        out, error = capsys.readouterr()
        line = f"sdi: {count} of the cells that completed in A {how} in {b.folder}"
        assert f"sdibench: --fail-if: {line}\n" in error
        assert f"sdi: {count} of the cells that completed in A {how} in" in out
        judged = condition.startswith("sds") or count < 14
        assert (f"{condition}: not judged: sdi: no prompt has a value\n" in error) is not judged
    assert main(["compare", str(a.folder), str(b.folder)]) == 0  # without a condition nothing fails
    assert _gate((b, a), "psnr < -0.5") == (2 if pattern == "*" else 0)  # the other way round nothing was lost


def test_who_says_how_many_cells_may_diverge_has_said_it(
    pair: tuple[RunStore, RunStore], capsys: pytest.CaptureFixture[str]
) -> None:
    change_records(pair[1], lambda fields: fields.update(status="empty"), f"sdi--{PROMPTS[0]}--*")
    for condition in ("diverged > 20", "sdi.diverged > 20"):
        assert _gate(pair, "psnr < -0.5", condition) == 0
        assert not capsys.readouterr().err
    assert _gate(pair, "psnr < -0.5", "sds.diverged > 20") == 1
    assert _gate(pair, "diverged > 10") == 1


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("diverged < -5", 1),
        ("sds.diverged > 20", 1),
        ("diverged.low > 20", 1),  # of sdi 5 prompts are left, which have no interval
        ("diverged >= 100.5", 0),
    ],
)
def test_a_condition_that_limits_nothing_or_is_not_judged_excuses_no_divergence(
    pair: tuple[RunStore, RunStore], tmp_path: Path, capsys: pytest.CaptureFixture[str], condition: str, status: int
) -> None:
    a, b = RunStore(Path(shutil.copytree(pair[0].folder, tmp_path / "a"))), pair[1]
    change_records(b, lambda fields: fields.update(status="empty"))
    for store in (a, b):
        for prompt in PROMPTS[:2]:
            change_records(store, lambda fields: fields.update(status="crashed"), f"sdi--{prompt}--*")
    assert _gate((a, b), "psnr < -0.5", condition) == status
    line = f"sdibench: --fail-if: sdi: 10 of the cells that completed in A diverged in {b.folder}\n"
    assert (line in capsys.readouterr().err) is bool(status)


def test_a_method_without_an_interval_is_named(
    pair: tuple[RunStore, RunStore], capsys: pytest.CaptureFixture[str]
) -> None:
    few = PROMPTS[:3]

    def without(frame: pd.DataFrame) -> pd.DataFrame:
        gone = (frame["method"] == "sdi") & ~frame["prompt_id"].isin(few) & (frame["metric"] == "psnr")
        return frame.assign(value=frame["value"].mask(gone))

    change_scores(pair[1], without)
    assert _gate(pair, "psnr.high < 0") == 0
    line = "psnr.high < 0: not judged: sdi: 3 prompts, at least 6 are needed"
    assert capsys.readouterr().err == f"sdibench: {line}\n"
    assert _gate(pair, "psnr < 0") == 0
    assert not capsys.readouterr().err
    assert _gate(pair, "sdi.psnr.high < 0") == 2
    assert _gate(pair, "sdi.psnr.high < 0", "ssim >= 0") == 1  # what does hold is not hidden by what is unknown
    error = capsys.readouterr().err
    assert "ssim >= 0: holds for sds" in error
    assert "sdi.psnr.high < 0: not judged: sdi: 3 prompts" in error


def test_an_imported_arm_is_gated_by_its_label(
    finished: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its title has a space in it, which no condition can have."""
    (tmp_path / "mine" / "blue-duck").mkdir(parents=True)
    for view in range(3):
        image = Image.new("RGB", (8, 8), "white")
        image.paste((90, 90, 90), (2, 2, 6, 6))
        image.save(tmp_path / "mine" / "blue-duck" / f"{view}.png")
    arguments = ["import", str(tmp_path / "mine"), "--into", str(finished.folder), "--set", "cameras=evaluation"]
    assert main(arguments) == 0
    assert main(["score", str(finished.folder)]) == 0
    capsys.readouterr()
    assert _gate((finished, finished), "mine.psnr < -0.5") == 0
    assert _gate((finished, finished), "mine.psnr <= 0") == 1
    assert "mine.psnr <= 0: holds for mine (imported), mean 0" in capsys.readouterr().err
