"""Models distilled to a few steps, which are sampled without classifier-free guidance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAMES = re.compile(r"turbo|lightning|\blcm\b|hyper-?sd", re.IGNORECASE)
_SAMPLERS = ("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler")


def has_few_steps(configs: Mapping[str, dict[str, Any]]) -> bool:
    """Test whether the files of a pipeline say that it is a few-step model (Turbo, Lightning, Hyper-SD, LCM).

    They do by the name of the model that they were saved from, or by a scheduler that makes the published few-step
    models' steps: Euler's with trailing timesteps, or LCM's or TCD's.  The folder's own name is not asked, since a
    cell's identity does not depend on the place of files.

    Args:
        configs: The content of the pipeline's configurations, as :class:`Family` takes it.
    """
    scheduler = configs["scheduler"]
    if scheduler.get("_class_name") in ("LCMScheduler", "TCDScheduler"):
        return True
    if scheduler.get("_class_name") in _SAMPLERS and scheduler.get("timestep_spacing") == "trailing":
        return True
    saved_from = (configs[name].get("_name_or_path") for name in ("index", "unet", "transformer") if name in configs)
    return any(isinstance(name, str) and _NAMES.search(name) for name in saved_from)
