"""A workaround that lets torchvision load together with a torch without CUDA.

Some package registries have torchvision only as a wheel built for CUDA.  With a CPU-only torch its compiled library
cannot be loaded, two operator schemas are then missing, and the import fails, and with it that of open_clip and parts
of diffusers and transformers.  Declaring the two schemas is enough for everything used here (transforms and resizing).
Import this module before any of those libraries; if torchvision loads, it does nothing.
"""

from __future__ import annotations

import importlib
import sys

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare_operators() -> bool:
    """Import torchvision, and declare the missing operators if the import fails because of them.

    Returns:
        True if the operators had to be declared.

    Raises:
        RuntimeError: If the import fails for any other reason; the error is torchvision's own.
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
        pass  # not installed: the code that needs it will raise
    return False


declare_operators()
