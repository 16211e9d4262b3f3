"""No method makes the host wait for the device: it reads only values that it drew on the host.

The device here is not there (tests/support/another_device.py).  tests/gpu asks a GPU itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from another_device import ELSEWHERE, AnotherDevice, Remote
from torch import Tensor

from methods.cameras import evaluation_ring
from methods.conditioning import Conditioning
from methods.contracts import Perpendicular, Rendering, View, ViewPrompt
from methods.diffusion.perp_neg import PerpNeg
from methods.diffusion.schedules import schedules
from methods.distillation import methods
from methods.inversion import strategies
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.closed_form.translated import TranslatedPrior


class RemotePrior(GaussianPrior):
    """The closed-form prior with all of its tensors on another device."""

    def __init__(self, place: Callable[[Tensor], Tensor]) -> None:
        super().__init__(clip_target=None)
        self.place = place
        self.alphas_cumprod = place(self.alphas_cumprod)
        self.device = self.alphas_cumprod.device

    def embed(self, texts: Any) -> Conditioning:
        return Conditioning(self.place(super().embed(texts).sequence))

    def adapted(self, rank: int, generator: torch.Generator) -> TranslatedPrior:
        copy = TranslatedPrior(self)
        copy.turn, copy.shift = (torch.nn.Parameter(self.place(value.detach())) for value in (copy.turn, copy.shift))
        return copy


def _gradients(
    method: Any, streams: Any, place: Callable[[Tensor], Tensor], started: Callable[[], None] = lambda: None
) -> Iterator[tuple[Tensor, float]]:
    """The gradient at the image and the timestep of two steps, with everything except the draws at one place.

    ``started`` is called before the first step: what is prepared once may wait.
    """
    prior, cameras, words = RemotePrior(place), evaluation_ring(2), ["a red car", "a blue duck"]
    state = method.start(prior)
    started()
    positive, perpendicular = PerpNeg()(prior, words[0], cameras)
    plain = ViewPrompt(prior.embed(words), prior.embed(["", ""]), prior.embed(["bad", "bad"]))
    rgb = place(torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))).requires_grad_()
    for prompt in (plain, plain._replace(positive=positive, perpendicular=Perpendicular(*perpendicular))):
        blank = place(torch.ones(2, 1, 16, 16))
        view = View(Rendering(rgb, blank, blank), cameras, prior)
        out = method(view, prior=prior, prompt=prompt, progress=0.4, streams=streams, state=state)
        out.loss.backward()
        assert all(value.dim() == 0 for value in out.diagnostics.values())
        yield rgb.grad, float(out.timesteps.float().mean())
        rgb.grad = None


CASES = {name: methods[name]() for name in methods.names()} | {
    f"sds with {name}": methods["sds"](inversion=strategies[name]()) for name in strategies.names()
}
CASES |= {
    "hifa with new noise": methods["hifa"](denoise_steps=4, eta=1.0, constant_weight=0.05),
    "lods with a LoRA": methods["lods"](learns="lora"),
}
CASES |= {f"sds with {name}": methods["sds"](schedule=schedules[name]()) for name in schedules.names()}


@pytest.mark.parametrize("method", CASES.values(), ids=CASES)
def test_a_step_reads_nothing_from_the_device_and_waits_for_no_copy(method: Any, make_streams: Any) -> None:
    expected = list(_gradients(method, make_streams(1), lambda values: values))
    with AnotherDevice() as device:
        found = list(_gradients(method, make_streams(1), Remote, device.waits.clear))
    assert device.waits == []
    for (gradient, t), (remote, remote_t) in zip(expected, found, strict=True):
        assert t == remote_t
        assert torch.equal(gradient, remote.values)


WAITING = {
    "number": lambda x: float(x.sum()),
    "condition": lambda x: bool((x > 0).any()),
    "to the host": lambda x: x.cpu(),
    "mask": lambda x: x[x > 0],
    "places": lambda x: (x > 0).nonzero(),
    "from the host": lambda x: torch.ones(3).to(x),
    "index of the host": lambda x: x[torch.arange(2)],
}


@pytest.mark.parametrize("work", WAITING.values(), ids=WAITING)
def test_an_operation_that_waits_is_found(work: Callable[[Tensor], Any]) -> None:
    with AnotherDevice() as device:
        work(Remote(torch.arange(3.0)))
    assert len(device.waits) >= 1


def test_a_constant_written_to_the_device_is_found() -> None:
    with AnotherDevice(), pytest.raises(AssertionError, match="which waits"):
        torch.tensor([1.0, 2.0], device=ELSEWHERE) + Remote(torch.ones(2))
