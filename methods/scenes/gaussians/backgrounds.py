"""Random backgrounds, in front of which Gaussians that imitate one background show."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.transfer import to_device


def randomise(given: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """The colours ``(b 3)``, with random ones in place of a share: half of them of any colour, half black.

    LucidDreamer's ``bg_aug_ratio`` (``gaussian_renderer``, 2ecf093); each view is drawn by itself.

    Args:
        given: ``(b 3)``.
        share: Probability that a view gets another background.
        generator: Draws as many numbers whatever the share.
    """
    drawn = to_device(torch.rand(len(given), 5, generator=generator, device=generator.device), given)
    changes, is_black, colour = drawn[:, :1] < share, drawn[:, 1:2] < 0.5, drawn[:, 2:]
    return torch.where(changes, torch.where(is_black, 0.0, colour), given)
