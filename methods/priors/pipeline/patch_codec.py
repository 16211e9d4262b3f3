"""A linear autoencoder of image patches: what a VAE does for latent diffusion, in closed form.

An image is cut into p × p patches and each is expressed in the leading principal components of such patches.
Encoding and decoding are one matrix product each, differentiable and exact inverses on what is kept, so no
autoencoder has to be trained, shipped or differentiated through.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from methods.pixels import clamp_finite
from methods.weights import WeightsError, write_tensors

_CONFIG, _WEIGHTS = "config.json", "patch_codec.safetensors"


class PatchCodec:
    """Converts images ``(b 3 ps ps)`` in [0, 1] to latents ``(b k s s)`` and back.

    Args:
        patch: Side p of a patch in pixels.
        mean: ``(3p²,)``, the mean patch in [−1, 1].
        components: ``(k 3p²)``, orthonormal rows.
        scale: ``(k,)``, the divisor of each component.
    """

    def __init__(self, patch: int, mean: Tensor, components: Tensor, scale: Tensor) -> None:
        self.patch = self.factor = patch
        self.channels = len(components)
        self._mean, self._components, self._scale = mean, components, scale

    @classmethod
    def fit(cls, rgb: Tensor, *, patch: int, channels: int) -> PatchCodec:
        """Principal components of the patches of ``rgb`` ``(b 3 h w)`` in [0, 1].

        A component of deviation d is divided by √(d·d₁), half-way to whitening: the leading channel has unit
        variance, and finer ones less, so that noise hides them first and they do not dominate the loss.
        """
        values = torch.nn.functional.pixel_unshuffle(2 * rgb - 1, patch).permute(0, 2, 3, 1).flatten(0, 2).double()
        mean = values.mean(dim=0)
        variance, directions = torch.linalg.eigh((values - mean).T @ (values - mean) / len(values))
        deviation = variance.flip(0)[:channels].clamp_min(1e-8).sqrt()
        components = directions.flip(1)[:, :channels].T
        # An eigenvector's sign is arbitrary: the largest entry is made positive, so that any machine fits the same.
        largest = components.gather(1, components.abs().argmax(dim=1, keepdim=True))
        scale = (deviation * deviation[0]).sqrt()
        return cls(patch, mean.float(), (components * largest.sign()).float(), scale.float())

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> PatchCodec:
        """The codec in a folder.

        Raises:
            WeightsError: If its files cannot be read, or are not those of a codec.
        """
        try:
            patch = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["patch"]
            return cls(patch, **{name: value.to(device) for name, value in load_file(folder / _WEIGHTS).items()})
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            why = " ".join(str(error).split())[:200]
            raise WeightsError(f"{folder}: cannot be loaded as PatchCodec ({why})") from error

    def save(self, folder: Path) -> None:
        """Write the codec into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        config = {"_class_name": "PatchCodec", "patch": self.patch, "latent_channels": len(self._scale)}
        (folder / _CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        tensors = {"mean": self._mean, "components": self._components.contiguous(), "scale": self._scale}
        write_tensors(tensors, folder / _WEIGHTS)

    def encode(self, rgb: Tensor) -> Tensor:
        """``(b 3 ps ps)`` in [0, 1] to ``(b k s s)``; gradients flow."""
        patches = torch.nn.functional.pixel_unshuffle(2 * rgb - 1, self.patch)
        weight = self._components / self._scale[:, None]
        return torch.nn.functional.conv2d(patches, weight[..., None, None], bias=-weight @ self._mean)

    def decode(self, latents: Tensor) -> Tensor:
        """``(b k s s)`` to ``(b 3 ps ps)``, not clamped to [0, 1]."""
        weight = (self._components * self._scale[:, None]).T
        patches = torch.nn.functional.conv2d(latents, weight[..., None, None], bias=self._mean)
        return (torch.nn.functional.pixel_shuffle(patches, self.patch) + 1) / 2

    def bound(self, latents: Tensor) -> Tensor:
        """The latents of the same images with colours clamped to [0, 1]."""
        return self.encode(clamp_finite(self.decode(latents)))
