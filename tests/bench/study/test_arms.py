from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import InputError
from bench.study.arms import arms_of
from bench.study.pinning import pin
from bench.study.study import Study, load_study


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


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"method": "mirrored"}, "tiny: methods.sdi: unknown method 'mirrored': known: "),
        ({"inversion": "mirrored"}, "tiny: methods.sdi.inversion: unknown inversion strategy 'mirrored': known: "),
        ({"settings": {"scene": "mirrored"}}, "tiny: methods.sdi.settings.scene: unknown scene 'mirrored': known: "),
    ],
)
def test_a_name_that_the_run_once_knew_may_be_of_a_package_that_is_missing(
    study: Study, arm: dict, message: str
) -> None:
    for started in (False, True):
        own = (pin(study) if started else study).model_copy(update={"methods": {"sds": {}, "sdi": arm}})
        with pytest.raises(InputError) as caught:
            arms_of(own)
        assert str(caught.value).startswith(message)
        assert ("; a package that adds it may be missing: the run's records" in str(caught.value)) is started
    with pytest.raises(InputError, match=r"^tiny: methods\.sdi: unknown key 'x': [^;]*$"):
        arms_of(pin(study).model_copy(update={"methods": {"sds": {}, "sdi": {"x": 1}}}))
