from __future__ import annotations

import pytest

from bench.errors import InputError
from bench.study.setting_paths import check_path


@pytest.mark.parametrize(
    "path",
    [
        "steps", "seed", "render.resolution", "cameras.target_jitter", "scene.penalties.sparsity", "scene.count",
        "scene.encoding.levels", "hyper_parameters.guidance_scale", "hyper_parameters.inversion.inversion_steps",
        "hyper_parameters.schedule.low", "prior.resolution",
    ],
)  # fmt: skip
def test_any_method_and_any_part_may_have_the_setting(path: str) -> None:
    check_path(path, "x")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("stesp", r"x = 'stesp': unknown key 'stesp': did you mean steps"),
        ("render.resolutoin", "x = 'render.resolutoin': unknown key 'resolutoin': did you mean resolution"),
        ("scene.penaltes.sparsity", "unknown key 'penaltes': did you mean penalties"),
        ("scene.penalties.sparsty", "unknown key 'sparsty': did you mean sparsity"),
        ("hyper_parameters.inversion.inversion_step", "unknown key 'inversion_step': did you mean inversion_steps"),
        ("steps.more", "unknown key 'more': what is before it has no settings"),
        ("", "unknown key '': known: "),
    ],
)
def test_a_setting_that_no_cell_can_have_is_refused_with_the_nearest(path: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_path(path, "x")
