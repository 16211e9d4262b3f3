from __future__ import annotations

import pytest

from bench.engines.options import EngineOptions
from bench.errors import InputError


@pytest.mark.parametrize(
    ("options", "engine", "owner"),
    [
        ({"slurm_partition": "gpu"}, "local", "--slurm-partition: is an option of the engine slurm, not of local"),
        ({"slurm_minutes": 30}, "ray", "--slurm-minutes: is an option of the engine slurm, not of ray"),
        (
            {"ray_address": "auto"},
            "slurm",
            "--ray-address: is an option of the engine ray, not of slurm",
        ),
    ],
)
def test_options_of_another_engine_are_refused(options: dict[str, object], engine: str, owner: str) -> None:
    given = EngineOptions(**options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=owner):
        given.check_engine(engine)
    given.check_engine(owner.split("the engine ")[1].split(",", maxsplit=1)[0])


def test_options_of_all_engines_and_defaults_are_taken() -> None:
    for engine in ("local", "ray", "slurm", "mine"):
        EngineOptions(workers=2, fail_after=1).check_engine(engine)
