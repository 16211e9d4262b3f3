"""InstructBLIP of transformers from a local folder: the probability of an answer to a question about an image."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from methods.paths import expand_path
from methods.weights import WeightsError, WeightsMissingError, combined_sha256
from metrics.models.batches import compute_in_passes
from metrics.models.clip import preprocess, require_uint8
from metrics.models.precision import full_precision

#: Environment variable that names the folder.
VARIABLE = "SDIBENCH_VQA"

#: The published weights in transformers' layout; ``-xxl`` are the larger ones.
PUBLISHED = "Salesforce/instructblip-flan-t5-xl"

#: Tokens of a question that both text encoders read.  Source: LAVIS, ``blip2_t5_instruct``.
MAX_TOKENS = 128

_CONFIG = "config.json"
_QUERY_TOKENIZER = "qformer_tokenizer"

# Source: OpenAI's CLIP, as in t2v_metrics' instructblip_model.py.
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def find_folder() -> Path:
    """Return the folder that the environment names.

    Raises:
        WeightsMissingError: If it names none, or one that has no model; the message says what to do.
    """
    named = os.environ.get(VARIABLE)
    remedy = f"set {VARIABLE} to a folder with {PUBLISHED} (config.json, *.safetensors, tokenizer files)"
    if not named:
        raise WeightsMissingError(f"vqa_score: needs a model that answers questions; {remedy}")
    folder = expand_path(named)
    if not (folder / _CONFIG).is_file() or not any(folder.glob("*.safetensors")):
        raise WeightsMissingError(f"{VARIABLE} = {named!r}: has no {_CONFIG} or no *.safetensors; {remedy}")
    return folder


class QuestionModel:
    """The probability that an InstructBLIP with a T5 gives an answer.

    Args:
        folder: In transformers' layout: ``config.json``, ``*.safetensors``, ``tokenizer*``, ``qformer_tokenizer/``.
        device: Device of the network, which computes in float32.

    Raises:
        WeightsError: If it holds another kind of model, or cannot be loaded.
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        import methods.torchvision_shim  # noqa: F401  (before transformers, which imports torchvision)

        # isort: split
        from open_clip.transform import image_transform
        from transformers import AutoTokenizer, InstructBlipConfig, InstructBlipForConditionalGeneration
        from transformers.utils import logging

        logging.disable_progress_bar()  # scoring shows its own
        self._device = torch.device(device)
        try:
            config = InstructBlipConfig.from_pretrained(folder, local_files_only=True)
            _require_t5(config, folder)
            self._tokenizer, self._query_tokenizer = (
                AutoTokenizer.from_pretrained(path, local_files_only=True)
                for path in (folder, folder / _QUERY_TOKENIZER)
            )
            network = InstructBlipForConditionalGeneration.from_pretrained(
                folder, config=config, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        except WeightsError:
            raise
        except Exception as error:
            why = " ".join(str(error).split())[:200]
            raise WeightsError(f"{folder}: cannot be loaded as an InstructBLIP of transformers ({why})") from error
        files = [*folder.glob("*.safetensors"), *folder.glob("*.json"), *(folder / _QUERY_TOKENIZER).glob("*")]
        self.weights_sha256 = combined_sha256(folder, sorted(path.relative_to(folder).as_posix() for path in files))
        self.image_size = int(config.vision_config.image_size)
        self._network: Any = network.eval().requires_grad_(False).to(self._device)
        self._image_tokens = [config.image_token_index] * config.num_query_tokens
        self._preprocess = image_transform(self.image_size, is_train=False, mean=_MEAN, std=_STD)

    def tokens_cut(self, question: str) -> int:
        """Number of the question's tokens beyond those that the text encoders read; 0 if it fits."""
        counts = [len(read(question, verbose=False)["input_ids"]) for read in (self._tokenizer, self._query_tokenizer)]
        return max(0, max(counts) - MAX_TOKENS)

    @torch.no_grad()
    def probabilities(self, rgb: np.ndarray, question: str, answer: str) -> np.ndarray:
        """Compute the geometric mean of the probabilities of the answer's tokens, its end included.

        Args:
            rgb: uint8 images ``(n h w 3)``.
            question: A question that fits.
            answer: The answer.

        Returns:
            float64 ``(n,)`` in [0, 1].

        Raises:
            TypeError: If the images are not uint8.
        """
        require_uint8(rgb)
        asked, asked_of_queries, answered = (
            torch.tensor([read(text)["input_ids"]], device=self._device)
            for read, text in (
                (self._tokenizer, question),
                (self._query_tokenizer, question),
                (self._tokenizer, answer),
            )
        )
        places = torch.tensor([self._image_tokens], device=self._device)
        texts = (torch.cat([places, asked], dim=1), asked_of_queries, answered)

        def judge(some: np.ndarray) -> Tensor:
            pixels = preprocess(some, self._preprocess).to(self._device)
            ids, query_ids, labels = (text.repeat(len(some), 1) for text in texts)
            with full_precision(self._device):
                logits = self._network(
                    pixel_values=pixels, input_ids=ids, qformer_input_ids=query_ids, labels=labels
                ).logits
            losses = nn.functional.cross_entropy(logits.double().transpose(1, 2), labels, reduction="none")
            return torch.exp(-losses.mean(dim=1)).cpu()

        return compute_in_passes(judge, rgb, self._device, self.image_size, self.image_size).numpy()


def _require_t5(config: Any, folder: Path) -> None:
    if config.use_decoder_only_language_model or config.image_token_index is None:
        raise WeightsError(f"{folder}: is not an InstructBLIP with a T5 and an image token; take {PUBLISHED}")


def load_question_model(folder: Path, device: str = "cpu") -> QuestionModel:
    """Load the model of a folder, once."""
    return _load(folder, device)


@cache
def _load(folder: Path, device: str) -> QuestionModel:
    return QuestionModel(folder, device)
