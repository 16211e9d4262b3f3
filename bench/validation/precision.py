"""Half precision against float32."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from bench.validation.result import Check
from methods.contracts import Prior
from methods.diffusion.noise_levels import log_snr
from methods.out_of_memory import is_out_of_memory
from methods.priors.loading import folder_of
from methods.priors.pipeline.card import has_patch_codec
from methods.priors.pipeline.settings import PipelineSettings

#: Relative differences of half precision that are rounding; an overflow or a broken kernel gives far more.
_ROUNDING = 0.05

#: The same of the encoder's gradient for a mean loss: bfloat16 rounds by some per cent, a gradient that is lost by 40.
_GRADIENT_ROUNDING = 0.2

_PLACES = (0.1, 0.5, 0.9)


def check_precision(name: str, prior: Prior) -> Check:
    """Compare noise, latents and the encoder's gradient of the loaded prior with one in float32, which is loaded here.

    Args:
        name: Name of the prior.
        prior: As it is loaded on this machine.
    """
    from methods.priors.pipeline.diffusers_prior import DiffusersPrior

    folder = folder_of(name)
    if folder is None:
        return Check(passed=None, note="a prior without networks")
    settings = PipelineSettings.from_environment("mode", uses_gpu=not has_patch_codec(folder))
    if settings.dtype == torch.float32:
        return Check(passed=None, note="computes in float32 here; nothing to compare")
    if isinstance(prior, DiffusersPrior):
        prior.drop_text_encoders()
    try:
        exact = DiffusersPrior(folder, dataclasses.replace(settings, dtype=torch.float32, compiled=False))
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return Check(
            passed=None, note="the prior in float32 does not fit the device together with that in half precision"
        )
    values: dict[str, float | str | None] = {"precision": str(settings.dtype).removeprefix("torch.")}
    side = prior.resolution
    rgb = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(prior.device)
    with torch.no_grad():
        values["latents"] = _relative(prior.encode(rgb), latents := exact.encode(rgb))
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1)).to(latents)
        for place in _PLACES:
            t = torch.tensor([int(place * len(prior.alphas_cumprod))], device=prior.device)
            alpha = prior.alphas_cumprod[t][:, None, None, None]
            noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
            found, expected = (
                each.predict_noise(noisy, t, each.embed(["a photo of a blue duck"])) for each in (prior, exact)
            )
            values[f"noise at t = {place} (log-SNR {float(log_snr(alpha)):+.1f})"] = _relative(found, expected)
    differences = [value for value in values.values() if not isinstance(value, str)]
    slopes = [_encoder_gradient(each, rgb, noise) for each in (prior, exact)]
    values["gradient of the encoder"] = slope = _relative(*slopes)
    passed = all(value is not None and value <= _ROUNDING for value in differences)
    return Check(
        passed=passed and slope is not None and slope <= _GRADIENT_ROUNDING,
        note=f"relative difference from float32; right: at most {_ROUNDING}, of the gradient {_GRADIENT_ROUNDING}",
        values=values,
    )


def _encoder_gradient(prior: Prior, rgb: Tensor, weights: Tensor) -> Tensor:
    """The gradient at the image of a loss as small as those that are means over latents."""
    image = rgb.clone().requires_grad_()
    (slope,) = torch.autograd.grad(0.1 * (weights * prior.encode(image)).mean(), image)
    return slope


def _relative(found: Tensor, expected: Tensor) -> float | None:
    size = float(torch.linalg.vector_norm(found - expected) / torch.linalg.vector_norm(expected))
    return size if math.isfinite(size) else None
