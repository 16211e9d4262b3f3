"""ImageReward's architecture on transformers' BLIP: one number for an image and a text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file
from torch import Tensor, nn

from methods.weights import verify_weights
from metrics.models.batches import compute_in_passes
from metrics.models.clip import preprocess, require_uint8
from metrics.models.precision import full_precision

CONFIG_FILE, WEIGHTS_FILE = "reward_config.json", "model.safetensors"


class RewardConfig(BaseModel):
    """Sizes and constants of a reward model; the defaults are ImageReward-v1.0's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vision: dict[str, Any] = Field(description="fields of transformers.BlipVisionConfig")
    text: dict[str, Any] = Field(description="fields of transformers.BlipTextConfig")
    head_widths: tuple[int, ...] = Field(default=(1024, 128, 64, 16), description="hidden widths of the linear head")
    head_dropout: tuple[float, ...] = Field(default=(0.2, 0.2, 0.1, 0.0), description="after each hidden layer")
    mean: float = Field(default=0.16717362830052426, description="subtracted from the head's output")
    std: float = Field(default=1.0333394966054072, gt=0, description="then divided by")
    image_size: int = Field(default=224, gt=0, description="side in pixels")
    image_mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    image_std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    max_length: int = Field(default=35, gt=2, description="tokens of a text, longer ones are cut")


class RewardNetwork(nn.Module):
    """BLIP's image encoder, its text encoder with cross-attention, and a linear head on the first token.

    Like ImageReward's, the head has no non-linearity between its layers (``ImageReward/ImageReward.py``).
    """

    def __init__(self, config: RewardConfig) -> None:
        super().__init__()
        import methods.torchvision_shim  # noqa: F401  (before transformers, which imports torchvision)

        # isort: split
        from transformers import (  # takes seconds
            BlipTextConfig,
            BlipTextModel,
            BlipVisionConfig,
            BlipVisionModel,
        )

        self.config = config
        self.vision = BlipVisionModel(BlipVisionConfig(image_size=config.image_size, **config.vision))
        self.text = BlipTextModel(BlipTextConfig(**config.text), add_pooling_layer=False)
        widths = (self.text.config.hidden_size, *config.head_widths)
        layers: list[nn.Module] = []
        for before, after, dropout in zip(widths, widths[1:], config.head_dropout, strict=False):
            layers += [nn.Linear(before, after), nn.Dropout(dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def encode_image(self, pixels: Tensor) -> Tensor:
        """Encode normalised images ``(b 3 s s)`` as states ``(b p d)``: the class token, then the patches."""
        states: Tensor = self.vision(pixel_values=pixels).last_hidden_state
        return states

    def forward(self, states: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Compute rewards ``(b,)`` of images given by states ``(b p d)`` for texts given by tokens and mask ``(b l)``.

        Rewards are not normalised: :class:`RewardModel` applies ``config.mean`` and ``config.std``.
        """
        read = self.text(
            input_ids=ids,
            attention_mask=mask,
            encoder_hidden_states=states,
        )
        reward: Tensor = self.head(read.last_hidden_state[:, 0])
        return reward[:, 0]


class RewardTokenizer:
    """BERT's tokenizer with the vocabulary of a folder (``vocab.txt``)."""

    def __init__(self, folder: Path, max_length: int) -> None:
        from transformers import BertTokenizer

        # Built from the folder: the constructor of transformers 5 ignores vocab_file, and every word is unknown.
        self._tokenizer = BertTokenizer.from_pretrained(folder, local_files_only=True)
        self._max_length = max_length

    def __call__(self, texts: Sequence[str], *, shortest: bool = False) -> tuple[Tensor, Tensor]:
        """Encode texts as tokens and mask ``(n l)``; ``shortest`` pads to the longest text only."""
        padding = "longest" if shortest else "max_length"
        read = self._tokenizer(
            list(texts), padding=padding, truncation=True, max_length=self._max_length, return_tensors="pt"
        )
        return read["input_ids"], read["attention_mask"]

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that are left out; 0 if the text fits."""
        return max(0, len(self._tokenizer(text, verbose=False)["input_ids"]) - self._max_length)


class RewardModel:
    """The reward of images for a prompt, normalised as ``ImageReward.score`` does.

    Args:
        folder: ``reward_config.json``, ``model.safetensors``, ``vocab.txt``, ``card.json``; of the published model
            :mod:`metrics.models.convert_image_reward` writes all but the card.
        device: Device of the network.

    Raises:
        WeightsError: If a file is missing or is not the one that the card lists.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        self.weights_sha256 = verify_weights(folder)
        self._device = torch.device(device)
        import methods.torchvision_shim  # noqa: F401  (before open_clip, which imports torchvision)

        # isort: split
        from open_clip.transform import image_transform

        self.config = RewardConfig.model_validate_json((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        self._network = RewardNetwork(self.config)
        self._network.load_state_dict({name: value.float() for name, value in load_file(folder / WEIGHTS_FILE).items()})
        self._network.eval().requires_grad_(False).to(self._device)
        self._tokenize = RewardTokenizer(folder, self.config.max_length)
        self._preprocess = image_transform(
            self.config.image_size, is_train=False, mean=self.config.image_mean, std=self.config.image_std
        )

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the network does not read; 0 if the text fits."""
        return self._tokenize.tokens_cut(text)

    @torch.no_grad()
    def rewards(self, rgb: np.ndarray, prompt: str) -> np.ndarray:
        """Compute the rewards of uint8 images ``(n h w 3)`` for a prompt, float64 ``(n,)``.

        Raises:
            TypeError: If the images are not uint8.
        """
        require_uint8(rgb)

        def judge(some: np.ndarray) -> Tensor:
            pixels = preprocess(some, self._preprocess)
            ids, mask = self._tokenize([prompt] * len(some))
            with full_precision(self._device):
                states = self._network.encode_image(pixels.to(self._device))
                rewards: Tensor = self._network(states, ids.to(self._device), mask.to(self._device)).cpu()
            return rewards

        raw = (
            compute_in_passes(judge, rgb, self._device, self.config.image_size, self.config.image_size).double().numpy()
        )
        normalised: np.ndarray = (raw - self.config.mean) / self.config.std
        return normalised


def load_reward(folder: Path, device: str = "cpu") -> RewardModel:
    """Load the reward model of a folder, once."""
    return _load(folder, device)


@cache
def _load(folder: Path, device: str) -> RewardModel:
    return RewardModel(folder, device)
