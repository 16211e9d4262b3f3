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

from methods.weights import WeightsError, read_card, verify_weights
from metrics.models.batches import compute_in_passes
from metrics.models.precision import full_precision

_STRIDE = 32  # stride of CLIP's ResNets, and so the smallest side of an image

_KEPT_SETS = 64  # sets of images whose features are kept, of which one of 50 views takes 0.1 to 0.3 MB


class ClipModel:
    """Text and image features of one CLIP.

    Images go through open_clip's own preprocessing: shorter side to the model's size (bicubic, antialiased),
    centre crop, mean and standard deviation of the model.  A ``native`` model takes them at their own size instead.

    Args:
        folder: In open_clip's format: ``open_clip_config.json``, ``open_clip_model.safetensors``, tokenizer files,
            ``card.json``.  Or a file of weights and a card whose ``open_clip_name`` is an architecture that
            open_clip knows (``"ViT-B-32-quickgelu"``).
        device: Device of the network; features are returned on the CPU.
        native: Remove the position embedding of a ResNet's attention pool, so that images can have any size.
            Source: Wang et al., arXiv 2207.12396, section 3.2.

    Raises:
        WeightsError: If a file is missing or is not the one that the card lists, or a ``native`` network is not a
            ResNet.
    """

    def __init__(self, folder: Path, device: str = "cpu", *, native: bool = False) -> None:
        self.weights_sha256 = verify_weights(folder)
        self._network, self._preprocess, self._tokenize = open_clip_folder(folder)
        self._device, self._native = torch.device(device), native
        if native:
            _remove_position_embedding(self._network.visual, folder)
            self._preprocess = _normalise(self._network.visual)
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


def load_clip(folder: Path, device: str = "cpu", *, native: bool = False) -> ClipModel:
    """Load the CLIP of a folder, once for all metrics."""
    return _load(folder, device, native)


@cache
def _load(folder: Path, device: str, native: bool) -> ClipModel:
    return ClipModel(folder, device, native=native)


def open_clip_folder(folder: Path) -> tuple[Any, Any, Any]:
    """Load the network of a folder on the CPU, its preprocessing, and its tokenizer.

    Raises:
        WeightsError: If its weights cannot be read, or are not those that its configuration describes.
    """
    import methods.torchvision_shim  # noqa: F401  (before open_clip, which imports torchvision)

    # isort: split
    import open_clip  # takes seconds, and a study is planned without it

    source, weights = _source(folder)
    try:
        network, transform = open_clip.create_model_from_pretrained(source, pretrained=weights)
        return network, transform, open_clip.get_tokenizer(source)
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise WeightsError(f"{folder}: cannot be loaded as a CLIP of open_clip ({why})") from error


def clip_tokenizer(folder: Path) -> Any:
    """Load open_clip's tokenizer of a folder, without its network.

    Raises:
        WeightsError: If it cannot be read.
    """
    import methods.torchvision_shim  # noqa: F401  (before open_clip, which imports torchvision)

    # isort: split
    import open_clip

    try:
        return open_clip.get_tokenizer(_source(folder)[0])
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise WeightsError(f"{folder}: its tokenizer cannot be loaded ({why})") from error


def _source(folder: Path) -> tuple[str, str | None]:
    """Return open_clip's arguments: the folder; or an architecture that it knows, and the file of weights."""
    if (folder / "open_clip_config.json").is_file():
        return f"local-dir:{folder}", None
    card = read_card(folder)
    files = [name for name in card["files"] if name.endswith((".safetensors", ".bin", ".pt", ".pth"))]
    if "open_clip_name" not in card or len(files) != 1:
        raise WeightsError(
            f"{folder}: is not a CLIP: it has neither open_clip_config.json, nor open_clip_name in card.json with one "
            "file of weights"
        )
    return card["open_clip_name"], str(folder / files[0])


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


def preprocessing_of(image_size: int) -> str:
    """Describe the preprocessing of a CLIP of that image size, for the cards."""
    return (
        f"uint8 RGB over the evaluation background, shorter side to {image_size} pixels (bicubic, antialiased; nothing "
        f"to do at {image_size}), centre crop, the model's mean and standard deviation, fp32"
    )
