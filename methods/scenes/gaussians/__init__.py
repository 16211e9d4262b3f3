"""Three-dimensional Gaussians, projected and composited in plain torch."""

from methods.scenes.gaussians.gaussians import Gaussians

__all__ = ["Gaussians"]
