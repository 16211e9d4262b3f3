"""The project's sessions: ``nox -l`` lists them; what follows ``--`` goes to the command inside."""

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
PINS = ("-c", "constraints.txt")


def install(session: nox.Session, *groups: str) -> None:
    """Install the project as it stands, and dependency groups, at the pinned versions."""
    needs = nox.project.dependency_groups(PROJECT, *groups) if groups else ()
    session.install("-e", ".", *needs, *PINS)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests."""
    install(session, "test")
    session.run("pytest", *session.posargs)


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
def train_toybox(session: nox.Session) -> None:
    """Train the toybox's models anew (hours on a CPU; goes on from checkpoints)."""
    install(session)
    for script in session.posargs or ("prior", "classifier", "calibrate", "clip", "reward"):
        session.run("python", "-m", f"bench.training.{script}")
