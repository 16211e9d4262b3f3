"""A CLIP loaded by open_clip from a local folder, whose features are cached for the metrics that share it."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from methods.weights import WeightsError, hash_weights
from metrics.models.batches import compute_in_passes
from metrics.models.clip_folder import open_clip_folder
from metrics.models.precision import full_precision
from metrics.suites import Preprocessing

_STRIDE = 32  # stride of CLIP's ResNets, and so the smallest side of an image

_KEPT_SETS = 64  # sets of images whose features are kept, of which one of 50 views takes 0.1 to 0.3 MB


class ClipModel:
    """Text and image features of one CLIP.

    Images go through open_clip's own preprocessing: shorter side to the model's size (bicubic, antialiased),
    centre crop, mean and standard deviation of the model.

    Args:
        folder: In open_clip's format: ``open_clip_config.json``, ``open_clip_model.safetensors``, tokenizer files,
            ``card.json``.  Or a file of weights and a card whose ``open_clip_name`` is an architecture that
            open_clip knows (``"ViT-B-32-quickgelu"``).
        device: Device of the network; features are returned on the CPU.
        preprocessing: ``image`` as above.  ``tensor``: the longer side of the tensor to the model's size, in floating
            point, and black around it, as HPSv2's package does.  ``native``: no resizing; the position embedding of a
            ResNet's attention pool is removed, so that images can have any size (Wang et al., arXiv 2207.12396,
            section 3.2).

    Raises:
        WeightsError: If a file is missing or is not the one that the card lists, or a ``native`` network is not a
            ResNet.
    """

    def __init__(self, folder: Path, device: str = "cpu", *, preprocessing: Preprocessing = "image") -> None:
        self.weights_sha256 = hash_weights(folder)
        self._network, self._preprocess, self._tokenize = open_clip_folder(folder)
        self._device, self._native = torch.device(device), preprocessing == "native"
        if preprocessing == "native":
            _remove_position_embedding(self._network.visual, folder)
            self._preprocess = _normalise(self._network.visual)
        elif preprocessing == "tensor":
            self._preprocess = _resize_tensor(self._network.visual, self.image_size)
        self._network.eval().requires_grad_(False).to(self._device)
        self._texts: dict[str, Tensor] = {}
        self._features: OrderedDict[str, Tensor] = OrderedDict()  # of the last sets of images, by their content

    @property
    def logit_scale(self) -> float:
        """Factor of the cosines before a softmax."""
        return math.exp(float(self._network.logit_scale))

    @property
    def image_size(self) -> int:
        """Side of the images that the network sees, pixels."""
        size = self._network.visual.image_size
        return int(size if isinstance(size, int) else size[0])

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the network does not read; 0 if the text fits."""
        return count_cut(self._tokenize, text)

    @torch.no_grad()
    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Encode texts as unit features ``(n d)``, each text once."""
        for text in texts:
            if text not in self._texts:  # one pass per text: see compute_in_passes
                with full_precision(self._device):
                    features = self._network.encode_text(self._tokenize([text]).to(self._device), normalize=True)
                self._texts[text] = features[0].cpu()
        return torch.stack([self._texts[text] for text in texts])

    @torch.no_grad()
    def image_features(self, rgb: np.ndarray) -> Tensor:
        """Encode uint8 images ``(n h w 3)`` as unit features ``(n d)``, which are kept for the next metrics and sets.

        Raises:
            TypeError: If the images are not uint8.
            ValueError: If the model is native and the images have less than 32 pixels a side.
        """
        require_uint8(rgb)
        height, width = rgb.shape[1:3]
        if self._native and min(height, width) < _STRIDE:
            raise ValueError(f"rgb: images of {height} × {width} pixels, must have {_STRIDE} or more a side")
        size = (height, width) if self._native else (self.image_size, self.image_size)

        def encode(some: np.ndarray) -> Tensor:
            pixels = preprocess(some, self._preprocess)
            with full_precision(self._device):
                features: Tensor = self._network.encode_image(pixels.to(self._device), normalize=True).cpu()
            return features

        key = f"{rgb.shape}{hashlib.sha256(np.ascontiguousarray(rgb).data).hexdigest()}"
        if key not in self._features:
            self._features[key] = compute_in_passes(encode, rgb, self._device, *size)
            if len(self._features) > _KEPT_SETS:
                self._features.popitem(last=False)
        self._features.move_to_end(key)
        return self._features[key]


def count_cut(tokenizer: Any, text: str) -> int:
    """Count the tokens of a text beyond those that a CLIP reads, of which ``tokenizer`` is open_clip's."""
    if hasattr(tokenizer, "tokenizer"):  # one of transformers, which warns of a text that is too long
        count = len(tokenizer.tokenizer(text, verbose=False)["input_ids"])
    else:
        count = len(tokenizer.encode(text)) + 2  # the start and the end
    return max(0, count - int(tokenizer.context_length))


def require_uint8(rgb: np.ndarray) -> None:
    """Raise TypeError if images are not uint8, because CLIP's processors divide by 255."""
    if rgb.dtype != np.uint8:
        raise TypeError(f"rgb: dtype {rgb.dtype}, must be uint8 in 0…255")


def preprocess(rgb: np.ndarray, transform: Callable[[Image.Image], Tensor]) -> Tensor:
    """Apply a transform of PIL images to uint8 images ``(n h w 3)``, which gives ``(n 3 s s)``.

    Raises:
        TypeError: If the images are not uint8.
    """
    require_uint8(rgb)
    return torch.stack([transform(Image.fromarray(image)) for image in rgb])


def load_clip(folder: Path, device: str = "cpu", preprocessing: Preprocessing = "image") -> ClipModel:
    """Load the CLIP of a folder, once for all metrics."""
    return _load(folder, device, preprocessing)


@cache
def _load(folder: Path, device: str, preprocessing: Preprocessing) -> ClipModel:
    return ClipModel(folder, device, preprocessing=preprocessing)


def _remove_position_embedding(visual: Any, folder: Path) -> None:
    """Replace the position embedding by one row of zeros, which adds nothing to any number of positions."""
    pool = getattr(visual, "attnpool", None)
    if pool is None:
        raise WeightsError(f"{folder}: only a CLIP with a ResNet takes images at their own size")
    pool.positional_embedding = nn.Parameter(torch.zeros_like(pool.positional_embedding[:1]))


def _normalise(visual: Any) -> Callable[[Image.Image], Tensor]:
    """Return the transform that applies the model's mean and standard deviation only."""
    from torchvision.transforms import Compose, Normalize, ToTensor

    transform: Callable[[Image.Image], Tensor] = Compose([ToTensor(), Normalize(visual.image_mean, visual.image_std)])
    return transform


def _resize_tensor(visual: Any, side: int) -> Callable[[Image.Image], Tensor]:
    """Return the transform of HPSv2's package: the values of resized pixels are neither rounded nor clamped."""
    from torchvision.transforms import InterpolationMode, Normalize, functional

    normalise = Normalize(visual.image_mean, visual.image_std)

    def transform(image: Image.Image) -> Tensor:
        pixels = functional.to_tensor(image)
        scale = side / max(pixels.shape[1:])
        height, width = (round(scale * length) for length in pixels.shape[1:])
        if scale != 1:
            pixels = functional.resize(pixels, [height, width], InterpolationMode.BICUBIC, antialias=True)
        left, top = (side - width) // 2, (side - height) // 2
        padded = functional.pad(pixels, [left, top, side - width - left, side - height - top])
        normalised: Tensor = normalise(padded)
        return normalised

    return transform


_RESIZED = {
    "image": "shorter side to {0} pixels (bicubic, antialiased; nothing to do at {0}), centre crop",
    "tensor": "longer side of the tensor to {0} pixels (bicubic, antialiased, neither rounded nor clamped; nothing to "
    "do at {0}), black around it",
}


def preprocessing_of(image_size: int, preprocessing: Preprocessing = "image") -> str:
    """Describe the preprocessing of a CLIP of that image size, for the cards."""
    if preprocessing == "native":
        return (
            "uint8 RGB over the evaluation background at its own size, which is part of the metric, "
            "the model's mean and standard deviation, fp32; no position embedding in the attention pool"
        )
    return (
        f"uint8 RGB over the evaluation background, {_RESIZED[preprocessing].format(image_size)}, the model's mean and "
        "standard deviation, fp32"
    )
