"""Control rows: the content of each control, reproducible images, and controls of other packages."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pytest

from metrics.clip_score import ClipScore
from metrics.controls import Control, ControlSources, controls, opaque_views
from metrics.suites import Suite
from metrics.views import TruthViews, Views

PROMPTS = ["a car", "a duck", "a mug", "a robot"]
SHIPPED = {"blank", "flat", "noise", "other_prompt", "prior_2d", "truth"}


@dataclass(frozen=True)
class Render:
    """A render in memory."""

    identity: str
    views: Views

    def read(self) -> Views:
        return self.views


class Sampler:
    """Images that all have the length of the prompt as their grey level."""

    identity = ("weights", 7.5)

    def __call__(self, prompt: str, count: int) -> np.ndarray:
        return np.full((count, 48, 64, 3), len(prompt), dtype=np.uint8)


@pytest.fixture
def sources(make_views: Callable[..., Views]) -> ControlSources:
    views = make_views(4)
    truth = (TruthViews("it", views.rgb, views.opacity),)
    renders = {
        prompt: Render(prompt, Views(views.rgb // (1 + at), views.opacity, views.azimuth_deg, truth))
        for at, prompt in enumerate(PROMPTS)
    }
    known = Render("the duck", Views(views.rgb // 3, views.opacity, views.azimuth_deg, truth))
    return ControlSources(views.azimuth_deg, 32, background=0.5, renders=renders, sample=Sampler(), truth=known)


def make(name: str, prompt: str, sources: ControlSources) -> Views:
    made = controls[name]().views(prompt, sources)
    return made if isinstance(made, Views) else made.read()


def test_every_control_gives_views_that_a_metric_takes(suite: Suite, sources: ControlSources) -> None:
    assert set(controls.names()) >= SHIPPED
    for name in SHIPPED:
        control = controls[name]()
        assert control.available("a duck", sources)
        views = make(name, "a duck", sources)
        assert views.rgb.shape == (4, 32, 32, 3)
        np.testing.assert_array_equal(views.azimuth_deg, sources.azimuth_deg)
        assert ClipScore(suite).score(views, "a duck", PROMPTS)["clip_score"].shape == (4,)


def test_titles_are_distinct_and_only_the_priors_images_have_no_cameras() -> None:
    assert len({controls[name].title for name in SHIPPED}) == len(SHIPPED)
    assert {name for name in SHIPPED if not controls[name].has_cameras} == {"prior_2d"}


def test_a_control_of_another_package_needs_nothing_but_its_class(
    sources: ControlSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    controls.names()
    monkeypatch.setattr(controls, "_found", dict(controls._found))

    @controls.register("grey")
    @dataclass(frozen=True)
    class Grey(Control):
        title = "grey image"

        def views(self, prompt: str, sources: ControlSources) -> Views:
            return opaque_views(np.full((len(sources.azimuth_deg), 8, 8, 3), 99, np.uint8), sources)

    control = controls["grey"]()
    assert (control.available("a duck", sources), control.identity(sources), control.has_cameras) == (True, [], True)
    assert (control.views("a duck", sources).rgb == 99).all()
    with pytest.raises(FrozenInstanceError):
        control.title = "other"


def test_identities_are_those_of_the_sources_that_are_used(sources: ControlSources) -> None:
    identities = {name: controls[name]().identity(sources) for name in SHIPPED}
    assert identities["blank"] == identities["noise"] == identities["other_prompt"] == []
    assert identities["prior_2d"] == [("weights", 7.5)]
    assert identities["truth"] == identities["flat"] == ["the duck"]


def test_blank_is_the_background_and_nothing_else(sources: ControlSources) -> None:
    views = make("blank", "a duck", sources)
    assert set(np.unique(views.rgb)) == {128}
    assert not views.opacity.any()


def test_noise_is_uniform_and_depends_on_prompt_and_seed(sources: ControlSources) -> None:
    first, again = (make("noise", "a duck", sources).rgb for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for other in (
        make("noise", "a car", sources).rgb,
        make("noise", "a duck", ControlSources(sources.azimuth_deg, 32, seed=1)).rgb,
        np.roll(first, 1, axis=0),
    ):
        assert (first == other).mean() == pytest.approx(1 / 256, abs=0.003)  # 12 288 numbers: 5 sigma
    assert first.mean() == pytest.approx(127.5, abs=3.5)
    assert np.bincount(first.ravel(), minlength=256).min() > 0


def test_other_prompt_is_never_the_prompt_itself_and_each_is_used_once(sources: ControlSources) -> None:
    used = []
    for prompt in PROMPTS:
        rgb = make("other_prompt", prompt, sources).rgb
        used += [other for other, render in sources.renders.items() if np.array_equal(render.views.rgb, rgb)]
        assert used[-1] != prompt
    assert sorted(used) == sorted(PROMPTS)


def test_the_truth_is_shown_as_it_is_and_its_mean_from_every_camera(sources: ControlSources) -> None:
    assert sources.truth is not None
    truth, flat = (make(name, "a duck", sources) for name in ("truth", "flat"))
    np.testing.assert_array_equal(truth.rgb, sources.truth.read().rgb)
    assert len(np.unique(flat.rgb, axis=0)) == len(np.unique(flat.opacity, axis=0)) == 1
    np.testing.assert_allclose(flat.rgb[0], truth.rgb.mean(0), atol=0.5)
    unknown = dataclasses.replace(sources, truth=None)
    for name in ("truth", "flat"):
        assert not controls[name]().available("a duck", unknown)
        assert controls[name]().identity(unknown) == []
        with pytest.raises(ValueError, match="needs prompts whose truth is known, and that of 'a duck' is not"):
            controls[name]().views("a duck", unknown)


def test_prior_samples_are_resized_to_the_renders(sources: ControlSources) -> None:
    assert set(np.unique(make("prior_2d", "a duck", sources).rgb)) == {len("a duck")}


@pytest.mark.parametrize(
    ("sample", "error", "message"),
    [
        (None, ValueError, "needs a sampler"),
        (lambda prompt, count: np.zeros((count, 8, 8, 3), dtype=np.float32), TypeError, "float32, must be uint8"),
        (lambda prompt, count: np.zeros((1, 8, 8, 3), dtype=np.uint8), ValueError, r"must be \(4, h, w, 3\)"),
    ],
)
def test_wrong_samples_are_refused(sample: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make("prior_2d", "a duck", ControlSources(np.arange(4.0), 32, sample=sample))


def test_what_is_not_available_is_refused(sources: ControlSources) -> None:
    alone = ControlSources(sources.azimuth_deg, 32, renders={"a duck": sources.renders["a duck"]})
    for prompt in ("a duck", "a horse"):
        assert not controls["other_prompt"]().available(prompt, alone)
        with pytest.raises(ValueError, match=f"needs the render of '{prompt}' and of one more prompt, has 1"):
            make("other_prompt", prompt, alone)
    assert not controls["prior_2d"]().available("a duck", alone)
    assert controls["noise"]().available("a duck", alone)
    with pytest.raises(ValueError, match=r"background: 1\.5 is not from 0 to 1"):
        ControlSources(sources.azimuth_deg, 32, background=1.5)
