"""A prior of several kinds of image whose noise prediction is known in closed form.

For x ~ Σ π_k N(m_k, s²) the noisy image is x_t ~ Σ π_k N(√ᾱ m_k, ᾱ s² + 1 − ᾱ), and the exact prediction is
ε = √(1−ᾱ)·(x_t − √ᾱ Σ r_k m_k) / (ᾱ s² + 1 − ᾱ) with the responsibilities r_k of the whole image.  Unlike
one Gaussian's it is not linear: a method has modes to choose between, or to fall between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from methods.conditioning import Conditioning
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.settings import require

#: A digest has 32 bytes, of which a mode takes four.
_MOST = 8


class MixturePrior(GaussianPrior):
    """The closed-form prior of several modes; latents are those of the Gaussian one, ``(b 3 16 16)``.

    Args:
        modes: Kinds of image for each text.
        deviation: s, in latent units.
        clip_target: Largest value of clean latents, None for no such bound.

    Raises:
        ValueError: If ``modes`` is not between 1 and 8.
    """

    weights_sha256 = "mixture"  # a cell's identity has this of its prior

    def __init__(self, *, modes: int = 3, deviation: float = 0.3, clip_target: float | None = 1.0) -> None:
        require(1 <= modes <= _MOST, "modes", modes, f"between 1 and {_MOST}")
        super().__init__(deviation=deviation, clip_target=clip_target)
        self.modes = modes

    def embed(self, texts: Sequence[str]) -> Conditioning:
        """``(b modes 4)``: each mode's colour in [−1, 1] and log-weight, the digest of the text before a comma."""
        rows = []
        for text in texts:
            digest = torch.tensor(list(hashlib.sha256(text.split(",")[0].encode()).digest()), dtype=torch.float64)
            colours, weights = digest.view(_MOST, 4)[: self.modes].split([3, 1], dim=1)
            rows.append(torch.cat([colours / 127.5 - 1, (1 + weights).log().log_softmax(dim=0)], dim=1))
        return Conditioning(torch.stack(rows).float())

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The exact posterior mean of the noise, by the modes' responsibilities."""
        self.calls += 1
        self.rows += len(latents)
        alpha = self.alphas_cumprod[timesteps.clamp_min(0)][:, None, None, None].to(latents)
        colours, weights = conditioning.sequence.to(latents).split([3, 1], dim=2)
        variance = alpha * self.deviation**2 + 1 - alpha
        from_mode = latents[:, None] - (alpha.sqrt() * colours[..., None])[..., None]  # (b k 3 h w)
        # -‖x_t − √ᾱ m_k‖² / 2v sums over all pixels: an image belongs to one mode as a whole
        fit = weights[..., 0] - from_mode.square().sum(dim=(2, 3, 4)) / (2 * variance[:, :, 0, 0])
        mean_residual = torch.einsum("bk,bkchw->bchw", fit.softmax(dim=1), from_mode)
        return (1 - alpha).sqrt() * mean_residual / variance
