from __future__ import annotations

import pytest

from bench.engines import EngineRegistry
from bench.engines.options import EngineOptions
from bench.errors import InputError
from methods.registry import RegistrationError


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


def test_an_engine_that_is_no_class_of_one_is_refused_where_it_is_registered() -> None:
    def run_mine(*_: object) -> None: ...

    with pytest.raises(
        RegistrationError, match=r"^engine 'mine': .*run_mine is not a class derived from bench\.engines"
    ):
        EngineRegistry("engine").register("mine")(run_mine)  # type: ignore[arg-type]
