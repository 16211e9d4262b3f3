"""Named random streams, so that a draw in one place never shifts the draws in another."""

from __future__ import annotations

import hashlib

import torch

from methods.registry import nearest

#: What each stream is for: cameras, the method's timesteps and noise, the scene's initial parameters,
#: backgrounds, jitter along rays, and whatever evaluation may draw.
STREAM_NAMES = ("camera", "timestep", "noise", "init", "background", "rays", "eval")


class _Streams(dict[str, torch.Generator]):
    def __missing__(self, name: str) -> torch.Generator:
        raise KeyError(f"unknown stream {name!r}: {nearest(name, STREAM_NAMES)}")


def make_streams(seed: int, prompt_id: str) -> dict[str, torch.Generator]:
    """One CPU generator for each name of ``STREAM_NAMES``; another name is a KeyError that says which there are.

    The method has no part in it: two methods at one seed see the same cameras and start from the same scene.
    """
    return _Streams((name, torch.Generator().manual_seed(stream_seed(seed, prompt_id, name))) for name in STREAM_NAMES)


def stream_seed(seed: int, prompt_id: str, name: str) -> int:
    """The first 63 bits of a SHA-256, so that neighbouring seeds have nothing in common."""
    digest = hashlib.sha256(f"{seed}\n{prompt_id}\n{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
