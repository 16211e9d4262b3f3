"""VSD against numbers from running threestudio's guidance on the same inputs (the golden file names the commit)."""

from __future__ import annotations

import pytest
import torch

from methods.conditioning import Conditioning
from methods.distillation.vsd import VSD


class CameraUNet:
    """A replacement of the LoRA: another UNet, with the camera's 16 numbers added to its text."""

    def __init__(self, unet) -> None:
        self.unet = unet

    def predict_noise(self, latents, timesteps, conditioning, cameras):
        return self.unet(latents, timesteps, conditioning.sequence + cameras[:, None]).sample


@pytest.mark.parametrize("number", range(2))
def test_vsd_update_is_threestudio_s(number, published, setting, unet, difference) -> None:
    case = published("vsd")["cases"][number]
    prior, view, prompt, streams = setting(case)
    draw = lambda name, *shape: torch.randn(shape, generator=torch.Generator().manual_seed(case["seeds"][name]))  # noqa: E731
    batch = case["batch"]
    method = VSD(guidance_scale=case["guidance_scale"], lora_guidance_scale=case["guidance_scale_lora"])
    update, _ = method.update(
        view.latents.detach(),
        torch.randn(view.latents.shape, generator=streams["noise"]),
        torch.tensor(case["timesteps"]),
        prior=prior,
        adapted=CameraUNet(unet(case["seeds"]["unet_lora"])),
        prompt=prompt._replace(plain=Conditioning(draw("text_lora", *prompt.positive.sequence.shape))),
        cameras=draw("camera", batch, 16),
    )
    assert difference(update, case) < 1e-4
