"""The project's sessions: ``nox -l`` lists them; what follows ``--`` goes to the command inside."""

import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests", "e2e"]

PROJECT = nox.project.load_toml("pyproject.toml")
PINS = ("-c", "constraints.txt")

#: image-reward 1.5 needs names that transformers dropped, and pins a timm that open_clip does not take.
IMAGE_REWARD = (
    "torch==2.13.0",
    "torchvision==0.28.0",
    "setuptools<82",
    "transformers==4.55.4",
    "diffusers==0.39.0",
    "datasets==5.0.1",
    "openai-clip==1.0.1",
    "image-reward==1.5",
)


def install(session: nox.Session, *groups: str) -> None:
    """Install the project as it stands, and dependency groups, at the pinned versions."""
    needs = nox.project.dependency_groups(PROJECT, *groups) if groups else ()
    session.install("-e", ".", *needs, *PINS)


#: Up to four processes of one thread each; tests of a file share what takes long to make.
SPREAD = ("-n", "logical", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder")


def environment() -> dict[str, str]:
    """Variables of the tests: one thread a process, and temporary files in memory where there is room.

    The tests copy a run's folder a thousand times: on a disk that costs a tenth of their time, and 0.1 GB holds them.
    """
    one_thread = {"OMP_NUM_THREADS": "1"}
    memory = Path("/dev/shm")  # noqa: S108  (pytest makes a folder of its own in it)
    if "TMPDIR" in os.environ or not memory.is_dir() or not os.access(memory, os.W_OK):
        return one_thread
    facts = os.statvfs(memory)
    if facts.f_flag & os.ST_NOEXEC or facts.f_bavail * facts.f_frsize < 2 * 2**30:
        return one_thread  # some tests run scripts, which containers often forbid there
    return one_thread | {"TMPDIR": str(memory)}


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests that take minutes together."""
    install(session, "test")
    marks = "not e2e and not faults and not full_size"
    session.run("pytest", *SPREAD, "-m", marks, *session.posargs, env=environment())


@nox.session
def e2e(session: nox.Session) -> None:
    """Run the end-to-end tests: whole runs, a fifth of the fault injection, foreign packages, pages in a browser."""
    install(session, "test")
    session.run("pytest", *SPREAD, "-m", "e2e", *session.posargs, env=environment())


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"), *PINS)
    session.run("ruff", "check", *session.posargs, ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy."""
    install(session, "types")
    session.run("mypy", *session.posargs)


#: Tests of a minute that find most of what a commit breaks elsewhere: names, layout, links, examples, commands.
SHORT = (
    "tests/test_architecture.py",
    "tests/test_dead_names.py",
    "tests/test_no_pickle.py",
    "tests/test_readme.py",
    "tests/bench/test_cli.py",
    "tests/bench/commands/test_list.py",
    "tests/bench/study/test_studies_readme.py",
)


@nox.session(default=False)
def commit(session: nox.Session) -> None:
    """Check style, types and the short tests, in two minutes: before a commit."""
    install(session, "test", "lint", "types")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("pytest", "-q", *SHORT, *session.posargs, env=environment())


@nox.session(default=False)
def benchmark(session: nox.Session) -> None:
    """Run a study, score it and write its report; the quick one on the toybox unless another is named."""
    install(session)
    session.run("sdibench", "benchmark", *(session.posargs or ("quick",)))


@nox.session(default=False)
def perf(session: nox.Session) -> None:
    """Time the hot paths with pytest-benchmark; compare with --benchmark-compare."""
    install(session, "test")
    session.run("pytest", "tests/benchmarks", "--benchmark-only", "--benchmark-autosave", *session.posargs)


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Kill and interrupt runs at random points, in every engine, Ray and submitit included (minutes)."""
    install(session, "test", "engines")
    session.run("pytest", "-m", "faults", "-s", *session.posargs)


@nox.session(default=False)
def rare(session: nox.Session) -> None:
    """Run the suites that neither a commit nor CI runs and that break unseen: faults, parity, perf (half an hour)."""
    for name in ("faults", "parity", "perf"):
        session.notify(name)


@nox.session(default=False)
def full_size(session: nox.Session) -> None:
    """Take a step of each row of table 1 on the CPU, on random weights of Stable Diffusion's size (an hour, 20 GB)."""
    install(session, "test")
    session.run("pytest", "-m", "full_size", "-s", *session.posargs)


@nox.session(default=False)
def train_toybox(session: nox.Session) -> None:
    """Train the toybox's models from the beginning (hours on a CPU; continues from checkpoints)."""
    install(session)
    flow = ("prior --objective flow", "calibrate --folder methods/priors/weights/toybox-flow --bounds none")
    latent = (
        "autoencoder",
        "prior --autoencoder .cache/toybox-autoencoder --precision bfloat16 --steps 8000",
        "calibrate --folder methods/priors/weights/toybox-latent --bounds none",
    )
    scores = ("clip", "reward", "aesthetic")
    for script in session.posargs or ("prior", "classifier", "calibrate", *flow, *latent, *scores):
        name, *options = script.split()
        session.run("python", "-m", f"bench.training.{name}", *options)


@nox.session(default=False)
def parity(session: nox.Session) -> None:
    """Compare our scores with those of image-reward, hpsv2, pyiqa, transformers and OpenAI's clip (5 GB)."""
    install(session, "test")
    session.install("pyiqa==0.1.16", "openai-clip==1.0.1", "clint==0.5.1", *PINS)
    session.install("--no-deps", "hpsv2==1.2.0")  # pins a pytest and a protobuf that only its training needs
    home = Path(session.virtualenv.location)
    folder = "Scripts" if os.name == "nt" else "bin"
    apart = home.with_name(f"{home.name}-image-reward")
    if not apart.is_dir():
        session.run("python", "-m", "venv", str(apart))
    session.run(str(apart / folder / "python"), "-m", "pip", "install", *IMAGE_REWARD, external=True)
    env = {
        **{f"SDIBENCH_PARITY_{name}": str(home / folder / "python") for name in ("CLIP", "HPSV2", "PICK_SCORE")},
        "SDIBENCH_PARITY_IMAGE_REWARD": str(apart / folder / "python"),
    }
    session.run("pytest", "tests/parity", *session.posargs, env=env)
