from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import InputError
from bench.study.arms import arms_of
from bench.study.study import load_study


@pytest.mark.parametrize(
    ("study_s", "arm_s", "message"),
    [
        ("", 'scene = { name = "nerf", radius = "big" }', "methods.sdi.settings.scene.radius = 'big': "),
        ("", "scene.radus = 1", "methods.sdi.settings.scene: unknown key 'radus': did you mean radius"),
        ("", 'scene = "nref"', "methods.sdi.settings.scene: unknown scene 'nref': did you mean nerf"),
        ('radius = "big"', "scene.learning_rates.density = 0.1", "scene.radius = 'big': "),
        ('radius = "big"', 'scene = { name = "image", side = -1 }', "methods.sdi.settings.scene: side: -1 is not"),
    ],
)
def test_a_mistake_in_a_scene_is_named_where_it_was_written(
    study_file: Path, study_s: str, arm_s: str, message: str
) -> None:
    text = study_file.read_text().replace("[render]", f"{study_s}\n[render]").replace("[methods.sds]\n", "")
    study_file.write_text(f"{text}settings.{arm_s}\n".replace('baseline = "sds"', 'baseline = "sdi"'))
    with pytest.raises(InputError) as caught:
        arms_of(load_study(study_file))
    assert str(caught.value).startswith(f"tiny: {message}")
