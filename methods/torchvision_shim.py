"""Lets torchvision load beside a torch without CUDA.

The registry's torchvision wheel is built for CUDA.  Beside a CPU-only torch its compiled library cannot be
loaded, two operator schemas are then missing, and the import fails, and with it open_clip and parts of
diffusers and transformers.  Declaring the two schemas is enough for everything used here (transforms and
resizing).  Import this module before any of those libraries; where torchvision loads, it does nothing.
"""

from __future__ import annotations

import importlib
import sys

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare_operators() -> bool:
    """Import torchvision, declaring the missing operators if that is what it fails for.

    Returns:
        Whether the operators had to be declared.

    Raises:
        RuntimeError: torchvision's own, if it fails for any other reason.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        torch.library.define("torchvision::nms", _SCHEMA)
        torch.library.define("torchvision::qnms", _SCHEMA)
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        importlib.import_module("torchvision")
        return True
    except ImportError:
        pass  # not installed: whoever needs it will say so
    return False


declare_operators()
