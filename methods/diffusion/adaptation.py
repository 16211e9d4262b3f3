"""Training of a part of a prior together with the scene."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.conditioning import Conditioning
from methods.contracts import AdaptedPrior, Prior
from methods.diffusion.guidance import add_noise
from methods.transfer import to_device

#: Seed of the adapters' initial values.  A method starts before it is given streams, so these values are the same for
#: every seed of a study; their influence fades during training.
_SEED = 0

#: The loss is a mean over thousands of latents, and its gradients would underflow in half precision on their way
#: through the network.  Scaling by a power of two is exact in float32.
_SCALE = 2.0**12


class SecondTarget(NamedTuple):
    """A noise that the trained prediction is drawn to, or pushed from, in addition to the noise of the renders."""

    noise: Tensor  # (b c lh lw)
    weight: float  # negative: away from it


class Adaptation:
    """A trainable part of a prior and its optimiser, which VSD and its like train together with the scene.

    AdamW with threestudio's betas and epsilon (``prolificdreamer.yaml``).

    Args:
        adapted: What is trained: a copy with adapters (:func:`low_rank_copy`) or a conditioning (``LearntNull``).
        learning_rate: Step size of everything that is trained.
    """

    def __init__(self, adapted: AdaptedPrior, *, learning_rate: float) -> None:
        self.adapted = adapted
        self._optimiser = torch.optim.AdamW(
            self.adapted.parameters().values(), lr=learning_rate, betas=(0.9, 0.99), eps=1e-15
        )

    @torch.enable_grad()
    def train(
        self,
        latents: Tensor,
        noise: Tensor,
        timesteps: Tensor,
        *,
        prior: Prior,
        conditioning: Conditioning,
        cameras: Tensor,
        second: SecondTarget | None = None,
    ) -> Tensor:
        """Take one optimiser step on the mean of (ε_φ(x_t) − ε)², and of w·(ε_φ(x_t) − ε')² for a second target ε'.

        Args:
            latents: Clean latents ``(b c lh lw)``; no gradient goes to them.
            noise: ε, of the same shape.
            timesteps: ``(b,)``.
            prior: The prior, whose noise levels are used.
            conditioning: Of ``b`` rows.
            cameras: ``(b 16)``, zeros for a view whose camera is left out.
            second: ε' and w; None for no such term.

        Returns:
            The loss before the step, a scalar without a gradient.
        """
        timesteps = to_device(timesteps, latents.device)
        noisy = add_noise(prior, latents.detach(), noise, timesteps)
        predicted = self.adapted.predict_noise(noisy, timesteps, conditioning, cameras)
        loss = torch.nn.functional.mse_loss(predicted, noise)
        if second is not None:
            loss = loss + second.weight * torch.nn.functional.mse_loss(predicted, second.noise)
        self._optimiser.zero_grad(set_to_none=True)
        (loss * _SCALE).backward()
        for value in self.adapted.parameters().values():
            if value.grad is not None:
                value.grad /= _SCALE
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def state_dict(self) -> dict[str, Any]:
        """The trained parameters and the optimiser's moments, for a checkpoint."""
        trained = {name: value.detach().clone() for name, value in self.adapted.parameters().items()}
        return {"adapted": trained, "optimiser": self._optimiser.state_dict()}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint.

        Raises:
            ValueError: If it belongs to another network or rank.
        """
        parameters, trained = self.adapted.parameters(), state["adapted"]
        shapes = {name: value.shape for name, value in parameters.items()}
        if shapes != {name: value.shape for name, value in trained.items()}:
            raise ValueError("the checkpoint's trained parameters belong to another network or rank")
        for name, value in parameters.items():
            value.copy_(trained[name])
        self._optimiser.load_state_dict(state["optimiser"])


def low_rank_copy(prior: Prior, rank: int) -> AdaptedPrior:
    """A copy of ``prior`` with adapters of rank ``rank``, the same for every seed; the prior is not changed."""
    return prior.adapted(rank, torch.Generator().manual_seed(_SEED))


def camera_matrices(cameras: Cameras) -> Tensor:
    """Camera-to-world matrices ``(b 16)``, row by row, of cameras that look along their −z with y up."""
    positions = cameras.positions
    back = torch.nn.functional.normalize(positions - cameras.target, dim=-1)
    right = torch.nn.functional.normalize(torch.linalg.cross(cameras.up.to(back), back), dim=-1)
    upper = torch.stack([right, torch.linalg.cross(back, right), back, positions], dim=-1)
    last = torch.tensor([0.0, 0.0, 0.0, 1.0]).to(back).expand(len(back), 1, 4)
    return torch.cat([upper, last], dim=1).flatten(1)
