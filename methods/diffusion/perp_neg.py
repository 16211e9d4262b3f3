"""Perp-Neg: other views of the prompt as negative prompts, of which only the perpendicular part counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.cameras import VIEW_WORDS, Cameras, with_view
from methods.conditioning import Conditioning
from methods.contracts import Perpendicular, Prior
from methods.transfer import to_device

#: (a, b, c) of the shifted exponential decay a·exp(−b·r) + c.
Decay = tuple[float, float, float]

_OVERHEAD_DEG = 60.0  # as in ``view_words``


@dataclass(frozen=True)
class PerpNeg:
    """View-dependent conditioning for ``guided_prediction`` (arXiv 2304.04968, section 4).

    The positive prompt passes from "front view" to "side view" to "back view" with the camera's azimuth.
    "front view" and "side view" are the negatives, each with the weight −(a·exp(−b·r) + c), where r falls
    from 1 at the front to 0 at the side, and again from 1 at the side to 0 at the back.  Overhead cameras
    get the prompt's overhead view and no negatives.
    """

    front_before_side: Decay = (4.0, 0.5, -2.426)
    """Weight of "front view" at r, front to side (threestudio's ``perp_neg_f_fs``)."""
    side_before_side: Decay = (4.0, 0.5, -2.426)
    """Weight of "side view" at 1 − r, front to side (threestudio's ``perp_neg_f_sf``)."""
    front_behind_side: Decay = (1.0, 0.5, 0.967)
    """Weight of "front view" at r, side to back (threestudio's ``perp_neg_f_fsb``)."""
    side_behind_side: Decay = (1.0, 0.5, -0.606)
    """Weight of "side view" at r, side to back (threestudio's ``perp_neg_f_sb``)."""

    def __call__(self, prior: Prior, prompt: str, cameras: Cameras) -> tuple[Conditioning, Perpendicular]:
        """The positive conditioning of each camera, and its two negatives."""
        views = prior.embed([with_view(prompt, words) for words in VIEW_WORDS])
        like = views.sequence
        rows = torch.zeros(len(cameras), dtype=torch.int64, device=like.device)
        negatives = Perpendicular((views[rows], views[rows + 1]), to_device(self.weights(cameras), like))
        return views.mix(to_device(self.shares(cameras), like)), negatives

    def shares(self, cameras: Cameras) -> Tensor:
        """``(b 4)``: how much of front, side, back and overhead view the positive prompt has; rows sum to 1."""
        before, r, overhead = _sector(cameras)
        none = torch.zeros_like(r)
        front, back = torch.where(before, r, none), torch.where(before, none, 1 - r)
        shares = torch.stack([front, 1 - front - back, back, none], dim=-1)
        return torch.where(overhead[:, None], shares.new_tensor([0.0, 0.0, 0.0, 1.0]), shares)

    def weights(self, cameras: Cameras) -> Tensor:
        """``(b 2)``: the weights of "front view" and "side view"."""
        before, r, overhead = _sector(cameras)
        front = torch.where(before, _decay(self.front_before_side, r), _decay(self.front_behind_side, r))
        side = torch.where(before, _decay(self.side_before_side, 1 - r), _decay(self.side_behind_side, r))
        weights = -torch.stack([front, side], dim=-1)
        return torch.where(overhead[:, None], torch.zeros_like(weights), weights)


def _sector(cameras: Cameras) -> tuple[Tensor, Tensor, Tensor]:
    """Masks of cameras in front of the side view and of overhead ones, with r in [0, 1] between; each ``(b,)``."""
    turned = ((cameras.azimuth_deg + 180.0) % 360.0 - 180.0).abs()
    before = turned < 90.0
    return before, torch.where(before, 1.0, 2.0) - turned / 90.0, cameras.elevation_deg > _OVERHEAD_DEG


def _decay(decay: Decay, r: Tensor) -> Tensor:
    a, b, c = decay
    return a * torch.exp(-b * r) + c
