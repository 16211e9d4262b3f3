from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import JsonValue

import bench.engines.ray
from bench.engines import engines
from bench.engines.options import EngineOptions
from bench.engines.ray import forecast_vram_gb, gpu_share
from bench.errors import DeviceLostError, InputError, StorageError
from bench.records.record import RECORD_FILE
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.study import Study


def test_as_many_cells_share_a_gpu_as_have_room() -> None:
    for vram_gb in (1.0, 7.0, 9.3, 26.0, 40.0, 79.0, 200.0):
        at_once = int(1 / gpu_share(vram_gb, 80.0) + 1e-3)
        assert at_once == max(1, int(80 // vram_gb))
        assert at_once * gpu_share(vram_gb, 80.0) <= 1.0
    assert gpu_share(None, 80.0) == 1.0


def test_a_workers_memory_is_the_studys_word_or_what_its_cells_took(study: Study, finished: RunStore) -> None:
    assert forecast_vram_gb(study.model_copy(update={"vram_gb_per_cell": 7.5}), finished) == 7.5
    assert forecast_vram_gb(study, finished) is None  # they ran on the CPU
    held = {"sds": (4e9, None), "sdi": (9e9, 12.5e9)}  # reserved by torch; by the process
    for index, cell in enumerate(expand(study)):
        path = finished.cell_folder(cell) / RECORD_FILE
        reserved, process = held[cell.label]
        memory = {"kind": "cuda", "reserved_bytes": int(reserved), "process_bytes": process and int(process)}
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"memory": record["memory"] | memory}))
        if index == 0:
            assert forecast_vram_gb(study, finished) is None  # nothing is known of the other method
    assert forecast_vram_gb(study, finished) == 12.5
    assert forecast_vram_gb(study.narrow(methods=["sds"]), finished) == 5.0


def test_a_missing_ray_is_told(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match=r"Ray is not installed; pip install '\.\[ray\]'"):
        engines["ray"]().run(study, expand(study), RunStore(tmp_path), EngineOptions())


@pytest.mark.parametrize(("gpu_gb", "device", "is_refused"), [(0, "", True), (0, "cpu", False), (80, "", False)])
def test_a_cluster_without_a_gpu_is_refused_for_a_prior_that_needs_one(
    study: Study, monkeypatch: pytest.MonkeyPatch, gpu_gb: int, device: str, is_refused: bool
) -> None:
    ray = SimpleNamespace(cluster_resources=lambda: {"GPU": gpu_gb / 80} if gpu_gb else {})
    monkeypatch.setenv("SDIBENCH_DEVICE", device)
    monkeypatch.setattr("bench.engines.workers.prior_uses_gpu", lambda name: True)
    monkeypatch.setattr(bench.engines.ray, "_cluster", lambda address: nullcontext(ray))
    refused = pytest.raises(
        InputError, match=r"^--engine ray: the cluster has no GPU, which the prior gaussian needs; "
    )
    with refused if is_refused else nullcontext():
        engines["ray"]().check(study, EngineOptions())


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "x.invalid:1", "127.0.0.1:99999"])
def test_an_address_where_no_cluster_answers_is_told_within_seconds(
    address: str, closed_port: int, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(**_named: object) -> None:
        raise AssertionError("ray.init was called, which tries for minutes")

    monkeypatch.setitem(__import__("sys").modules, "ray", ray := SimpleNamespace(init=never, shutdown=lambda: None))
    ray.util = SimpleNamespace(get_node_ip_address=lambda: "127.0.0.1")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_NUM_REDIS_GET_RETRIES", "20")  # as it is by default, for the clusters of other tests
    address = address.format(closed_port)
    with pytest.raises(InputError, match=f"^--ray-address = '{address}': no Ray cluster answers there"):
        engines["ray"]().run(study, expand(study), RunStore(tmp_path), EngineOptions(ray_address=address))
    monkeypatch.setenv("RAY_ADDRESS", address)
    for given in (None, "auto"):
        with pytest.raises(InputError, match=f"^RAY_ADDRESS = '{address}': no Ray cluster answers there"):
            engines["ray"]().run(study, expand(study), RunStore(tmp_path), EngineOptions(ray_address=given))


@pytest.mark.parametrize("own", ["127.0.0.1", "127.0.0.2"])
def test_an_address_where_somebody_listens_is_rays_to_judge(
    own: str, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server((own, 0)) as server:
        port = server.getsockname()[1]
        for address in (f"localhost:{port}", f"ray://127.0.0.1:{port}", f"ray://127.0.0.1:{port}?ssl=1"):
            bench.engines.ray._require_listener(address, own)
    for address in ("local", "name", "other://127.0.0.1:1"):
        bench.engines.ray._require_listener(address, own)


def test_a_task_that_lost_its_gpu_ends_its_process(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray starts a task again whose process has died, and not one that has raised."""

    def lost(*_given: object, **_named: object) -> None:
        raise DeviceLostError("cuda: lost")

    def end(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(bench.engines.ray, "work", lost)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit, match="1"):
        bench.engines.ray._run((study, expand(study), RunStore(tmp_path)), EngineOptions())


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
class TestCluster:
    """On a cluster of this machine."""

    @pytest.fixture(autouse=True)
    def _ray(self) -> None:
        pytest.importorskip("ray", reason="Ray is not installed (extra ray)")

    def _at_work(self, store: RunStore, study: Study) -> list[int]:
        found = [store.attempts(cell).read() for cell in expand(study)]
        return [int(attempts.worker.partition(":")[2]) for attempts in found if attempts.step]

    def test_a_killed_worker_is_begun_anew(self, study: Study, tmp_path: Path) -> None:
        study = study.narrow(steps=80).model_copy(update={"checkpoint_seconds": 0.0})
        cells, store = expand(study), RunStore(tmp_path)
        killed: list[int] = []

        def kill() -> None:
            while not killed:
                for number in self._at_work(store, study)[:1]:
                    os.kill(number, signal.SIGKILL)
                    killed.append(number)
                time.sleep(0.02)

        thread = threading.Thread(target=kill, daemon=True)
        thread.start()
        engines["ray"]().run(study, cells, store, EngineOptions(workers=2))
        records = [record for cell in cells if (record := store.read(cell))]
        assert sorted(record.attempts for record in records) == [1, 1, 1, 2]
        assert {record.status.value for record in records} <= {"completed", "opaque"}

    def test_both_scenes_are_run(self, study: Study, tmp_path: Path) -> None:
        gaussians: JsonValue = {"method": "sds", "settings": {"scene": {"name": "gaussians", "count": 400}}}
        study = study.model_copy(update={"methods": study.methods | {"gaussians": gaussians}})
        cells, store = expand(study), RunStore(tmp_path)
        engines["ray"]().run(study, cells, store, EngineOptions(workers=2))
        assert {record.status.value for cell in cells if (record := store.read(cell))} == {"completed"}

    def test_an_interrupt_stops_the_tasks(self, endless: Study, tmp_path: Path) -> None:
        cells, store = expand(endless), RunStore(tmp_path)

        def interrupt() -> None:
            while len(self._at_work(store, endless)) < 2:
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt, daemon=True)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            engines["ray"]().run(endless, cells, store, EngineOptions(workers=2))
        for cell in cells:
            assert store.checkpoint(cell, endless).load() is not None
            with store.claim(cell) as is_mine:
                assert is_mine

    def test_an_error_of_a_worker_is_raised_as_it_was(self, study: Study, tmp_path: Path) -> None:
        (tmp_path / "run").write_text("no folder")
        with pytest.raises(StorageError, match=r"^/\S+\.lock: cannot be written \(File exists\)"):
            engines["ray"]().run(study, expand(study), RunStore(tmp_path / "run"), EngineOptions(workers=1))
