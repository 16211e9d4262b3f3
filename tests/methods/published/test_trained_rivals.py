"""ASD and LODS, which train a part of the prior, against numbers from running their released code."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from closed_form_world import GivenNoise, GivenTimes

from methods.conditioning import Conditioning
from methods.diffusion.adaptation import Adaptation
from methods.distillation.asd import ASD
from methods.distillation.lods import LODS


class Stand:
    """What is trained, as the golden files have it: another network, and a text whose gradient they keep.

    The text is added to what is read, or replaces it.
    """

    def __init__(self, unet: Any, text: torch.Tensor, *, replaces: bool = False) -> None:
        self.unet, self.text, self.replaces = unet, torch.nn.Parameter(text), replaces
        self.gradients: list[torch.Tensor] = []
        self.text.register_hook(self.gradients.append)

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        return {"text": self.text}

    def predict_noise(self, latents, timesteps, conditioning, cameras):
        read = self.text.expand(len(latents), -1, -1) if self.replaces else conditioning.sequence + self.text
        return self.unet(latents, timesteps, read + cameras[:, None]).sample


#: The code's loss is scaled by this number on its way through the network, so that half precision holds its gradients.
SCALE = 2.0**12


def take(method: Any, case: dict[str, Any], setting: Any, name: str, stand: Stand, plain: Any = None) -> Any:
    """The gradient of the latents, times the views, or that of the trained text; and the loss of the training."""
    prior, view, prompt, streams = setting
    state = {name: Adaptation(stand, learning_rate=0.0)}
    asked = prompt._replace(plain=plain)
    out = method(view, prior=prior, prompt=asked, progress=0.0, streams=streams, state=state)
    if case["ran"].startswith("train"):
        [gradient] = stand.gradients
        return gradient / SCALE, float(out.diagnostics[f"{name}_loss"])
    return torch.autograd.grad(out.loss, view.latents)[0] * len(view.latents), None


def training_alone(case: dict[str, Any], setting: Any) -> dict[str, Any]:
    """An update that draws nothing, so that the training has the streams' first draws, as where the code was run."""
    still = GivenNoise(torch.zeros_like(setting.view.clean).numpy())
    alone = {"schedule": GivenTimes((500,) * case["batch"]), "inversion": still}
    return alone if case["ran"].startswith("train") else {}


@pytest.mark.parametrize("number", range(5))
def test_asd_is_its_authors(number: int, published, setting, unet, difference) -> None:
    """The update with either weight and with Perp-Neg, and the training of the LoRA with and without it."""
    case = published("asd")["cases"][number]
    given = setting(case)
    shape = given.prompt.positive.sequence.shape
    plain = Conditioning(torch.randn(shape, generator=torch.Generator().manual_seed(case["seeds"]["text_lora"])))
    by_noise_level = case.get("weighting_strategy") == "asd"
    method = ASD(camera_dropout=0.0, by_noise_level=by_noise_level, **training_alone(case, given))
    stand = Stand(unet(case["seeds"]["unet_lora"]), torch.zeros(shape))
    ours, loss = take(method, case, given, "lora", stand, plain)
    assert difference(ours, case) < 1e-4
    assert loss == (pytest.approx(case["loss"], rel=1e-5) if "loss" in case else None)


@pytest.mark.parametrize("number", range(5))
def test_lods_is_its_authors(number: int, published, setting, unet, difference) -> None:
    """The update and the training of the embedding, and those of the LoRA."""
    case = published("lods")["cases"][number]
    given = setting(case)
    method = LODS(guidance_scale=case["guidance_scale"], **training_alone(case, given))
    seed, shape = case["seeds"]["learnt"], given.prompt.null.sequence.shape[1:]
    if case["ran"].endswith("embedding"):
        learnt = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        stand = Stand(given.prior.unet, learnt, replaces=True)
    else:
        stand = Stand(unet(seed), torch.zeros(shape))
    ours, loss = take(method, case, given, "null", stand)
    assert difference(ours, case) < 1e-4
    assert loss == (pytest.approx(case["loss"], rel=1e-5) if "loss" in case else None)
