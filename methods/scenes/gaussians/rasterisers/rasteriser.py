"""The contract of a rasteriser of Gaussians."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from methods.cameras import Cameras


class Cloud(NamedTuple):
    """The Gaussians as they are drawn."""

    means: Tensor  # (n 3), world units
    scales: Tensor  # (n 3), standard deviations along their axes, world units
    rotations: Tensor  # (n 4), quaternions, real part first, of any length but 0
    opacities: Tensor  # (n,), at their centres, in [0, 1]


class Rasterised(NamedTuple):
    """Images of a cloud by ``b`` cameras, and where in them each Gaussian is."""

    sums: Tensor  # (b c h w), the values under the weights of alpha compositing
    opacity: Tensor  # (b 1 h w), the sum of the weights
    centres: Tensor  # (b n 2), pixels from the left and from the top; the gradient of the images passes through them
    radii: Tensor  # (b n), three standard deviations along the longer axis, pixels; 0 where it is in no pixel


@dataclass(frozen=True)
class Rasteriser(ABC):
    """The settings of a rasteriser, which has no state of its own."""

    def require(self) -> None:
        """Make sure that the rasteriser can run; nothing by default.

        Raises:
            MissingPackageError: If a package is not installed.
        """
        return

    def kept_bytes(self, count: int, deviation: float, channels: int, resolution: int) -> float | None:
        """Bytes of an image that wait for the gradient, for the forecast; None if those of ``torch`` tell them.

        Args:
            count: Number of Gaussians.
            deviation: Standard deviation of one in the image, pixels.
            channels: Values that are summed.
            resolution: Side of the image, pixels.
        """
        return None

    @abstractmethod
    def draw(self, cloud: Cloud, values: Tensor, cameras: Cameras, resolution: int) -> Rasterised:
        """Draw a cloud, front to back, with the low-pass and its compensation of Mip-Splatting (arXiv 2311.16493).

        Args:
            cloud: The Gaussians.
            values: What is summed, ``(b n c)``.
            cameras: ``b`` cameras.
            resolution: Side of the images, pixels.
        """
