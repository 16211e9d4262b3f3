"""VSD whose trained copy looks ahead: it is trained on the renders before they are updated."""

from __future__ import annotations

from dataclasses import dataclass

from methods.distillation import methods
from methods.distillation.vsd import VSD


@methods.register("vsd-lookahead")
@dataclass(frozen=True)
class VSDLookahead(VSD):
    """VSD with its two steps exchanged: first the LoRA learns the current renders, then they are updated with it.

    This is the first half of L²-VSD (arXiv 2507.09748).  The other half, the LoRA linearised by forward-mode
    differentiation against its over-fitting, is not here.
    """

    lookahead: bool = True
    """Whether the LoRA is trained before the update."""
