"""Fetching from folders, and from a hub of our own that speaks the real one's protocol to the real client."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import bench
from bench.cli import main
from bench.commands.sources import Source, sources_of
from bench.errors import InputError
from methods.priors.pipeline.hub import Origin
from methods.weights import WeightsError, read_card, verify_weights
from metrics.suites import Suite, suites

from .conftest import fetch

pytestmark = pytest.mark.usefixtures("home")

REPOSITORY = "some-one/tiny"
TAMPERED = "some-one/tampered"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model")


_FILES: dict[str, bytes] = {}


@pytest.fixture(scope="module", autouse=True)
def _read_files(stable_diffusion) -> None:
    """A small pipeline, with the further files that repositories have."""
    folder = stable_diffusion
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    _FILES.update({name: path.read_bytes() for name, path in paths.items() if "feature_extractor" not in name})
    for stem in WEIGHTS:
        _FILES[f"{stem}.fp16.safetensors"] = b"half"
        _FILES[f"{stem}.bin"] = b"pickle"


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def files() -> dict[str, bytes]:
    """The files of the pipeline by path."""
    return _FILES


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    for name, content in files().items():
        path = tmp_path / "mirror" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "mirror"


def test_a_folder_is_copied_once_and_repaired_to_the_same_bytes(mirror, home) -> None:
    assert "prior: right, SHA-256 " in fetch("sd21", mirror=mirror)
    folder = home / "sd21" / "prior"
    kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    wanted = {name for name in files() if not name.endswith((".bin", ".ckpt", ".md", ".fp16.safetensors"))}
    assert kept == wanted | {"card.json"}
    assert read_card(folder)["files"] == {name: hashlib.sha256(files()[name]).hexdigest() for name in wanted}
    before = {name: (folder / name).stat().st_mtime_ns for name in kept}

    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    fetch("sd21")  # what is right needs neither mirror nor network
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == before
    unet.write_bytes(b"damaged")
    assert "SHA-256 is" in fetch("sd21", mirror=mirror)
    assert unet.read_bytes() == files()["unet/diffusion_pytorch_model.safetensors"]
    unet.write_bytes(b"damaged")
    others = bytearray(files()["unet/diffusion_pytorch_model.safetensors"])
    others[-1] ^= 1
    (mirror / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(others)
    with pytest.raises(
        WeightsError, match=r"unet/diffusion_pytorch_model.safetensors: SHA-256 is .* but card.json says"
    ):
        fetch("sd21", mirror=mirror)


def test_another_machine_s_weights_are_taken_with_their_card(mirror, home, monkeypatch, tmp_path) -> None:
    fetch("sd21", mirror=mirror)
    card = read_card(home / "sd21" / "prior")
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path / "second"))
    fetch("sd21", mirror=home / "sd21", only=("prior",))
    assert read_card(tmp_path / "second" / "sd21" / "prior") == card
    (home / "sd21" / "prior" / "unet" / "config.json").write_text("{}")
    shutil.rmtree(tmp_path / "second")
    with pytest.raises(WeightsError, match="SHA-256 is"):
        fetch("sd21", mirror=home / "sd21")
    assert not (tmp_path / "second").exists()


def test_a_source_may_turn_what_it_fetched_into_what_is_loaded(home, tmp_path, monkeypatch) -> None:
    """As a scorer does whose published file is a pickle; a suite has as many sources as it needs."""

    def convert(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes((folder / "model.pt").read_bytes()[::-1])
        (folder / "model.pt").unlink()

    scorer = Source(
        "reward", lambda: Origin("owner/reward", None, is_local=False), lambda _names, _where: ["model.pt"],
        finish=convert, card={"title": "reward"},
    )  # fmt: skip
    monkeypatch.setattr(bench.commands.sources, "_scorer", lambda suite, role: scorer)
    monkeypatch.setitem(
        suites._found, "sd21", Suite(name="sd21", note="x", models={"reward": suites["sd21"].models["reward"]})
    )
    (tmp_path / "both" / "reward").mkdir(parents=True)
    (tmp_path / "both" / "reward" / "model.pt").write_bytes(b"abc")
    fetch("sd21", mirror=tmp_path / "both", only=("reward",))
    card = read_card(home / "sd21" / "reward")
    assert card["files"] == {"model.safetensors": hashlib.sha256(b"cba").hexdigest()}
    assert (card["title"], card["repository"]) == ("reward", "owner/reward")
    assert card["converted_from"] == {"model.pt": hashlib.sha256(b"abc").hexdigest()}
    with pytest.raises(InputError, match="has no folder prior; fetch one role with --only prior"):
        fetch("sd21", mirror=tmp_path / "both", only=())


def test_reward_needs_the_vocabulary_that_is_fetched_before_it(home, tmp_path) -> None:
    (tmp_path / "both" / "reward").mkdir(parents=True)
    for name in ("ImageReward.pt", "med_config.json"):
        (tmp_path / "both" / "reward" / name).write_bytes(b"{}")
    with pytest.raises(WeightsError, match=r"bert/vocab.txt: missing, .* run: sdibench fetch sd21 --only bert rewar"):
        fetch("sd21", mirror=tmp_path / "both", only=("reward",))
    assert not list(home.rglob("card.json"))
    roles = [source.role for source, _ in sources_of("sd21")]
    assert roles.index("bert") < roles.index("reward")


def test_the_environment_names_another_repository_of_a_scorer(tmp_path, monkeypatch) -> None:
    origins = {source.role: source.origin for source, _ in sources_of("sd21")}
    assert origins["reward"]() == Origin("THUDM/ImageReward", None, is_local=False)
    assert {source.role: source.variable for source, _ in sources_of("sd21")}["reward"] == "SDIBENCH_SD21_REWARD"
    monkeypatch.setenv("SDIBENCH_SD21_REWARD", "some-one/reward@v1")
    assert origins["reward"]() == Origin("some-one/reward", "v1", is_local=False)
    monkeypatch.setenv("SDIBENCH_SD21_REWARD", "no such thing")
    with pytest.raises(WeightsError, match="SDIBENCH_SD21_REWARD = 'no such thing': is not a repository"):
        origins["reward"]()
    monkeypatch.setenv("SDIBENCH_SD21_REWARD", str(tmp_path))
    with pytest.raises(WeightsError, match=r"is a folder, .* run: sdibench fetch sd21 --only reward --from /"):
        origins["reward"]()


def test_a_folder_that_is_set_is_used_where_it_is(mirror, home, monkeypatch) -> None:
    monkeypatch.setenv("SDIBENCH_SD21", str(mirror))
    assert f"prior: {mirror} is used where it is" in fetch("sd21")
    assert not home.exists()
    with pytest.raises(InputError, match="is set already"):
        fetch("sd21", mirror=mirror)


def _pickles(mirror: Path) -> None:
    for path in mirror.rglob("*.safetensors"):
        path.unlink()


def _flow(mirror: Path) -> None:
    (mirror / "scheduler" / "scheduler_config.json").write_text('{"beta_schedule": "x", "prediction_type": "flow"}')


def _outside(mirror: Path) -> None:
    (mirror.parent / "outside").write_text("1")
    card = {"files": {"../outside": hashlib.sha256(b"1").hexdigest()}}
    (mirror / "card.json").write_text(json.dumps(card))


def _nothing(_mirror: Path) -> None: ...


BAD = {
    "unknown suite": (
        _nothing,
        "fetch sd22",
        "unknown suite or prior 'sd22': did you mean sd21?, or a repository as owner/name",
    ),
    "unknown role": (_nothing, "fetch sd21 --only priors", "unknown role 'priors' in sd21: did you mean prior?"),
    "no such folder": (_nothing, "fetch sd21 --only prior --from nowhere", "--from nowhere: there is no such folder"),
    "no pipeline": (_nothing, "fetch sd21 --only prior --from .", ".: no model_index.json, so it is not a pipeline"),
    "pickles": (_pickles, "fetch sd21 --only prior --from mirror", "mirror: only pickled weights in unet"),
    "prediction": (_flow, "fetch sd21 --only prior --from mirror", "mirror: prediction_type 'flow' is not one of"),
    "outside": (_outside, "fetch sd21 --only prior --from mirror", "card.json: lists files outside its folder"),
    "offline": (_nothing, "fetch sd21 --only prior", "HF_HUB_OFFLINE is set, so nothing can be downloaded; unset it"),
    "never fetched": (_nothing, "run tiny.toml", "prior sd21: no weights in "),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_fetched_is_one_line_and_status_2(mirror, home, capsys, monkeypatch, name) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    spoil, command, message = BAD[name]
    spoil(mirror)
    Path("tiny.toml").write_text(
        'title = "t"\nprior = "sd21"\nscorers = "toybox"\nprompts = "toybox"\nsteps = 1\nmetrics = ["ground_truth"]\n'
        'baseline = "sds"\n[methods.sds]\n'
    )
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("sdibench: ")
    assert error.count("\n") == 1
    assert message in error
    assert not list(home.rglob("card.json"))


def test_a_full_disk_is_reported_before_the_download(mirror, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 10, 1000))
    with pytest.raises(WeightsError, match=r"0.0 GB are needed and 0.0 GB are free; set SDIBENCH_WEIGHTS"):
        fetch("sd21", mirror=mirror)


class Hub(ThreadingHTTPServer):
    """Serves two repositories as the hub does: description, tree, files; at the first visit all files but one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.visits = 0
        self.sent: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        for repository in (REPOSITORY, TAMPERED):
            if path.startswith(f"/api/models/{repository}/tree/"):
                return self._answer(200, _json([self._entry(name, "path") for name in files()]))
            if path == f"/api/models/{repository}" or path.startswith(f"/api/models/{repository}/revision/"):
                self.server.visits += "blobs" in self.path
                siblings = [self._entry(name, "rfilename") for name in files()]
                return self._answer(200, _json({"id": repository, "sha": COMMIT, "siblings": siblings, "tags": []}))
            if path.startswith(f"/{repository}/resolve/{COMMIT}/"):
                return self._send(repository, path.removeprefix(f"/{repository}/resolve/{COMMIT}/"))
        return self._answer(401, b"", {"X-Error-Code": "RepoNotFound"})

    def _send(self, repository: str, name: str) -> None:
        content = files()[name]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{_oid(name)}"'}
        if self.command == "GET":
            if self.server.visits == 1 and name.startswith("vae/diffusion"):
                return self._answer(403, b"", {})
            self.server.sent.append((repository, name))
        if repository == TAMPERED and name.startswith("unet/diffusion"):
            content = content[::-1].replace(content[:1], b"!", 1)
        return self._answer(200, content, headers)

    def _entry(self, name: str, key: str) -> dict:
        size, oid = len(files()[name]), _oid(name)
        entry = {key: name, "size": size, "oid": oid, "blobId": oid, "type": "file"}
        return entry | (
            {"lfs": {"sha256": oid, "oid": oid, "size": size, "pointerSize": 134}} if len(oid) == 64 else {}
        )

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_given: object) -> None: ...


def _oid(name: str) -> str:
    """What the hub calls a file's content: SHA-256 of large ones, git's SHA-1 of others."""
    content = files()[name]
    if name.endswith(".safetensors"):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.e2e
def test_the_hub_is_asked_for_what_is_needed_and_a_download_goes_on(hub: Hub, home: Path) -> None:
    """Three commands in one process of its own, which learns where the hub is before it imports the client."""
    code = (
        "import sys\nfrom bench.cli import main\n"
        f"for name in ('{REPOSITORY}', '{REPOSITORY}', '{TAMPERED}', 'some-one/else'):\n"
        "    print(main(['fetch', name]), file=sys.stderr)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"} | {
        "PYTHONPATH": str(Path(bench.__file__).parents[1]),
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
        "HF_HOME": str(home.parent / "hf"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=100, check=True
    )
    failed, first, second, tampered, third, missing, fourth = done.stderr.splitlines()
    assert (first, second, third, fourth) == ("2", "0", "2", "2")
    assert failed.startswith(f"sdibench: {REPOSITORY}: the download failed (")
    assert failed.endswith("the same command goes on from there, or give --from FOLDER")
    assert tampered.startswith(f"sdibench: {TAMPERED}: unet/diffusion_pytorch_model.safetensors came with another SHA")
    assert missing.startswith("sdibench: some-one/else: the hub has no such repository, or asks for a login")
    assert "prior: right, SHA-256 " in done.stdout

    folder = home / "some-one--tiny" / "prior"
    wanted = {name for name in files() if not name.endswith((".bin", ".ckpt", ".md", ".fp16.safetensors"))}
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == wanted | {
        "card.json"
    }
    sent = [name for repository, name in hub.sent if repository == REPOSITORY]
    assert sorted(sent) == sorted(wanted)  # each once, though the first command broke off
    card = read_card(folder)
    assert (card["repository"], card["revision"]) == (REPOSITORY, COMMIT)
    assert len(verify_weights(folder)) == 64
    assert not list((home / "some-one--tampered").rglob("card.json"))
