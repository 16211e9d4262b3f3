"""Suites of scorer models, each a TOML file: which model scores in each role, its origin, and facts to check.

The files of this folder are the suites that come with the package; another is a path in a study's ``scorers``.
"""

from __future__ import annotations

from pathlib import Path

from methods.registry import Registry
from metrics.suites.suite import Preprocessing, Role, ScorerModel, Suite
from metrics.suites.suite_file import SuiteError, is_suite_file, read_suite

__all__ = [
    "Preprocessing", "Role", "ScorerModel", "Suite", "SuiteError", "find_suite", "is_suite_file", "read_suite",
    "suites",
]  # fmt: skip

#: Every suite by name.
suites: Registry[Suite] = Registry("suite of models")

for _file in sorted(Path(__file__).parent.glob("*.toml")):
    suites.register(_file.stem)(read_suite(_file))


def find_suite(models: str | Suite) -> Suite:
    """Look a suite up by its name, or read its TOML file.

    Raises:
        UnknownNameError: If there is none of the name; the message has the nearest names.
        SuiteError: If the file is missing or wrong.
    """
    if isinstance(models, Suite):
        return models
    return read_suite(Path(models)) if is_suite_file(models) else suites[models]
