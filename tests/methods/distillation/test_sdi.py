"""SDI's timesteps and cost; its equation is in test_closed_form.py, its sampler in test_ddim_equality.py."""

from __future__ import annotations

import pytest
import torch

from methods.diffusion.schedules.uniform import Uniform
from methods.distillation.sdi import SDI
from methods.inversion.random import RandomNoise


def test_time_falls_linearly_and_the_inversion_s_calls_with_it(prior, prompt, rgb, make_view, make_streams) -> None:
    seen = []
    for progress in (0.0, 0.5, 1.0):
        before = prior.calls
        out = SDI()(
            make_view(prior, rgb), prior=prior, prompt=prompt, progress=progress, streams=make_streams(), state={}
        )
        seen.append((float(out.timesteps.float().mean()), prior.calls - before))
    assert [t for t, _ in seen] == [999, 600, 200]
    assert seen[0][1] == 9 + 1  # int(10 · 0.999) steps of inversion and one prediction
    assert seen[2][1] == 2 + 1


def test_drawn_times_cover_the_range_whatever_the_progress(prior, prompt, rgb, make_view, make_streams) -> None:
    streams = make_streams()
    method = SDI(schedule=Uniform(0.2, 1.0), inversion=RandomNoise())
    call = {"prior": prior, "prompt": prompt, "progress": 0.9, "streams": streams, "state": {}}
    seen = torch.cat([method(make_view(prior, rgb), **call).timesteps for _ in range(100)])
    assert int(seen.min()) < 350
    assert int(seen.max()) > 850


def test_a_path_s_calls_are_added_to_the_inversion_s(prior, prompt, rgb, make_view, make_streams) -> None:
    """At t = 999 nine steps of inversion, and ten times on the way down: 999, 899, … 99."""
    before = prior.calls
    view = make_view(prior, rgb)
    SDI(denoise_steps=10)(view, prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state={})
    assert prior.calls - before == 9 + 10


def test_steps_that_are_no_number_are_named() -> None:
    with pytest.raises(ValueError, match=r"denoise_steps: -1 is not a positive number of steps"):
        SDI(denoise_steps=-1)
