from __future__ import annotations

import subprocess
import sys


def test_open_clip_and_diffusers_load_after_the_shim() -> None:
    """In a separate process: modules that are imported here already would hide a failure."""
    code = (
        "import methods.torchvision_shim, torchvision, open_clip, torch\n"
        "from torchvision.transforms.functional import resize\n"
        "print(tuple(resize(torch.zeros(3, 8, 8), [4, 4], antialias=True).shape))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "(3, 4, 4)"
