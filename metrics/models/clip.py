"""A CLIP loaded by open_clip from a local folder, with its features kept for the metrics that share it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from methods.weights import verified_weights

_BATCH = 64  # pictures or texts in one pass
_KEPT = 8  # sets of views whose features are kept: those of the cell that is scored, and of its truth


class ClipModel:
    """Text and image features of one CLIP.

    Pictures go through open_clip's own preprocessing: shorter side to the model's size (bicubic, antialiased),
    centre crop, mean and standard deviation of the model.

    Args:
        folder: In open_clip's format: ``open_clip_config.json``, ``open_clip_model.safetensors``, tokenizer files,
            ``card.json``.

    Raises:
        WeightsError: If a file is missing or is not the one that the card lists.
    """

    def __init__(self, folder: Path) -> None:
        self.weights_sha256 = verified_weights(folder)
        import methods.torchvision_mend  # noqa: F401  (before open_clip, which imports torchvision)

        # isort: split
        import open_clip  # takes seconds, and a study is planned without it

        source = f"local-dir:{folder}"
        self._network, self._preprocess = open_clip.create_model_from_pretrained(source)
        self._network.eval().requires_grad_(False)
        self._tokenize: Callable[[Sequence[str]], Tensor] = open_clip.get_tokenizer(source)
        self._texts: dict[str, Tensor] = {}
        self._pictures: dict[bytes, Tensor] = {}

    @property
    def logit_scale(self) -> float:
        """What CLIP multiplies cosines by before a softmax."""
        return math.exp(float(self._network.logit_scale))

    @property
    def image_size(self) -> int:
        """Side in pixels of the pictures that the network sees."""
        size = self._network.visual.image_size
        return int(size if isinstance(size, int) else size[0])

    @torch.no_grad()
    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Unit features ``(n d)`` of texts, each text encoded once."""
        new = [text for text in dict.fromkeys(texts) if text not in self._texts]
        for start in range(0, len(new), _BATCH):
            some = new[start : start + _BATCH]
            self._texts.update(zip(some, self._network.encode_text(self._tokenize(some), normalize=True), strict=True))
        return torch.stack([self._texts[text] for text in texts])

    @torch.no_grad()
    def image_features(self, rgb: np.ndarray) -> Tensor:
        """Unit features ``(n d)`` of uint8 pictures ``(n h w 3)``, kept for the next metric.

        Raises:
            TypeError: If the pictures are not uint8.
        """
        pixels = preprocessed(rgb, self._preprocess)
        key = hashlib.sha256(f"{rgb.shape}".encode() + rgb.tobytes()).digest()
        if key not in self._pictures:
            features = [self._network.encode_image(batch, normalize=True) for batch in pixels.split(_BATCH)]
            while len(self._pictures) >= _KEPT:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[key] = torch.cat(features)
        return self._pictures[key]


def preprocessed(rgb: np.ndarray, transform: Callable[[Image.Image], Tensor]) -> Tensor:
    """Uint8 pictures ``(n h w 3)`` through a transform of PIL pictures, as ``(n 3 s s)``.

    Raises:
        TypeError: If the pictures are not uint8.
    """
    if rgb.dtype != np.uint8:
        raise TypeError(f"rgb: dtype {rgb.dtype}, right is uint8 in 0…255")
    return torch.stack([transform(Image.fromarray(picture)) for picture in rgb])


@cache
def load_clip(folder: Path) -> ClipModel:
    """The CLIP of a folder, loaded once for all metrics."""
    return ClipModel(folder)
