"""The neural radiance field and its parts: encodings, materials, backgrounds and ray marching, chosen by name."""

from methods.scenes.nerf.nerf import NeRF

__all__ = ["NeRF"]
