"""ESD and VSD: one half of ESD sees the camera, the other does not."""

from __future__ import annotations

import torch

from methods.cameras import evaluation_ring
from methods.diffusion.adaptation import camera_matrices
from methods.distillation.esd import ESD
from methods.distillation.vsd import VSD


def test_update_is_the_mean_of_vsd_with_and_without_the_camera(prior, prompt) -> None:
    """w·(ε_pre − ½ ε_φ(camera) − ½ ε_φ(no camera)) is linear in the camera branch (arXiv 2401.00909)."""
    generator = torch.Generator().manual_seed(0)
    state = ESD().start(prior)
    state["lora"].adapted.turn.data.normal_(generator=generator)
    latents, noise = torch.randn(2, 2, 3, 16, 16, generator=generator)
    timesteps, cameras = torch.tensor([200, 700]), camera_matrices(evaluation_ring(2))

    def update(method, cameras):
        return method.update(
            latents, noise, timesteps, prior=prior, adapted=state["lora"].adapted, prompt=prompt, cameras=cameras
        )[0]

    seen, unseen = update(VSD(), cameras), update(VSD(), torch.zeros(2, 16))
    assert not torch.allclose(seen, unseen)
    torch.testing.assert_close(update(ESD(), cameras), (seen + unseen) / 2)


def test_both_branches_are_one_call(prior, prompt, rgb, make_view, make_streams) -> None:
    """A call of the prior, one of the LoRA and one of its training; VSD needs no second row in the LoRA's."""
    for method, rows in ((VSD(), 4 + 2 + 2), (ESD(), 4 + 4 + 2)):
        calls, before = prior.calls, prior.rows
        state = method.start(prior)
        method(make_view(prior, rgb), prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state=state)
        assert (prior.calls - calls, prior.rows - before) == (3, rows)
