"""InstructBLIP with random weights in the published layout, against the steps of t2v_metrics."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import methods.torchvision_shim  # noqa: F401  (before transformers)

# isort: split
from transformers import (
    AutoTokenizer,
    InstructBlipConfig,
    InstructBlipForConditionalGeneration,
    OPTConfig,
    PreTrainedTokenizerFast,
    T5Config,
)

from methods.weights import WeightsError, WeightsMissingError
from metrics import metrics
from metrics.models.visual_question import MAX_TOKENS, VARIABLE, QuestionModel, find_folder
from metrics.views import Views

SIDE, QUERIES = 28, 3
SIGNS = ["<pad>", "</s>", "<unk>", "<image>", "Question", ":", "Does", "this", "figure", "show", '"', "?", "."]
WORDS = [*SIGNS, "Please", "answer", "yes", "or", "no", "a", "red", "blue", "car", "duck"]
QUESTION = 'Question: Does this figure show "a red car"? Please answer yes or no.'


def write_tokenizer(folder: Path, words: list[str]) -> None:
    unknown = SIGNS[2]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


def tiny_config() -> InstructBlipConfig:
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    text = T5Config(
        vocab_size=len(WORDS), d_model=12, d_kv=6, d_ff=24, num_layers=2, num_heads=2, decoder_start_token_id=0,
        tie_word_embeddings=False,
    )  # fmt: skip
    return InstructBlipConfig(
        vision_config={**sizes, "image_size": SIDE, "patch_size": 14},
        qformer_config={**sizes, "vocab_size": 40, "encoder_hidden_size": 16, "max_position_embeddings": 200},
        text_config=text.to_dict(),
        num_query_tokens=QUERIES,
        image_token_index=WORDS.index("<image>"),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vqa") / "instructblip-tiny"
    network = InstructBlipForConditionalGeneration(tiny_config())
    generator = torch.Generator().manual_seed(0)
    for value in network.parameters():
        value.data = 0.3 * torch.randn(value.shape, generator=generator) + (value.ndim == 1)
    network.save_pretrained(path)
    write_tokenizer(path, WORDS)
    write_tokenizer(path / "qformer_tokenizer", WORDS[::-1][:-4] + WORDS[3::-1])
    return path


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)


@torch.no_grad()
def published(folder: Path, rgb: np.ndarray, question: str, answer: str) -> list[float]:
    """The steps of ``InstructBLIPModel.forward``, module by module, without bfloat16."""
    network = InstructBlipForConditionalGeneration.from_pretrained(folder).eval()
    t5, queries = AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(folder / "qformer_tokenizer")
    mean, std = (torch.tensor(values)[:, None, None] for values in (
        (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)))  # fmt: skip
    found = []
    for image in rgb:
        pixels = torch.from_numpy(np.asarray(Image.fromarray(image)).copy()).permute(2, 0, 1) / 255
        seen = network.vision_model(pixel_values=((pixels - mean) / std)[None]).last_hidden_state
        words = queries(question, return_tensors="pt").input_ids
        read = network.qformer(
            input_ids=words,
            attention_mask=torch.ones(1, QUERIES + words.shape[1], dtype=torch.long),
            query_embeds=network.query_tokens,
            encoder_hidden_states=seen,
            encoder_attention_mask=torch.ones(seen.shape[:2], dtype=torch.long),
        )[0][:, :QUERIES]
        asked = network.language_model.encoder.embed_tokens(t5(question, return_tensors="pt").input_ids)
        labels = t5(answer, return_tensors="pt").input_ids
        inputs = torch.cat([network.language_projection(read), asked], dim=1)
        logits = network.language_model(inputs_embeds=inputs, labels=labels).logits
        loss = torch.nn.CrossEntropyLoss(reduction="mean")(logits[0], labels[0])
        found.append(math.exp(-float(loss)))
    return found


def test_probabilities_are_those_of_the_package_s_steps(folder: Path, rgb: np.ndarray) -> None:
    model = QuestionModel(folder)
    expected = published(folder, rgb, QUESTION, "yes")
    found = model.probabilities(rgb, QUESTION, "yes")
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert len(set(np.round(found, 6))) == 3
    other = model.probabilities(rgb, QUESTION.replace("red", "blue"), "yes")
    assert not np.allclose(found, other, rtol=1e-3)
    assert len(model.weights_sha256) == 64


def test_the_metric_asks_the_published_question(folder: Path, rgb: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(folder))
    metric = metrics["vqa_score"]("toybox")
    views = Views(rgb, None, np.zeros(3))
    expected = published(folder, rgb, QUESTION, "yes")
    np.testing.assert_allclose(metric.score(views, "a red car", [])["vqa_score"], expected, rtol=1e-5)
    assert metric.card.checkpoint.startswith("instructblip-tiny")
    assert metric.tokens_cut("a red car") == 0


def test_a_prompt_that_is_too_long_is_cut_before_the_end_of_the_question(
    folder: Path, rgb: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(folder))
    metric = metrics["vqa_score"]("toybox")
    asked: list[str] = []
    monkeypatch.setattr(
        QuestionModel, "probabilities", lambda self, rgb, question, answer: asked.append(question) or np.ones(3)
    )
    rest = len(QUESTION.split()) + 6  # its signs and the end are tokens too
    long = " ".join(["car"] * 200)
    assert metric.tokens_cut(long) > 0
    metric.score(Views(rgb, None, np.zeros(3)), long, [])
    [question] = asked
    assert question.endswith('"? Please answer yes or no.')
    assert metric._model.tokens_cut(question) == 0 < metric._model.tokens_cut(question.replace("car", "car car", 1))
    assert MAX_TOKENS - rest - 5 < question.count("car") < MAX_TOKENS


@pytest.mark.parametrize("what", ["nothing", "no folder", "no weights"])
def test_without_a_model_one_line_says_what_to_set(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if what != "nothing":
        monkeypatch.setenv(VARIABLE, str(tmp_path / "none" if what == "no folder" else tmp_path))
        (tmp_path / "config.json").write_text("{}")
    with pytest.raises(
        WeightsMissingError, match=r"set SDIBENCH_VQA to a folder with Salesforce/instructblip"
    ) as caught:
        find_folder()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["a decoder", "no image token", "damaged"])
def test_another_model_is_refused_in_one_line(wrong: str, folder: Path, tmp_path: Path) -> None:
    config = tiny_config()
    if wrong == "a decoder":
        config = InstructBlipConfig(text_config=OPTConfig().to_dict(), image_token_index=3)
    if wrong == "no image token":
        config.image_token_index = None
    if wrong == "damaged":
        write_tokenizer(tmp_path, WORDS)
        write_tokenizer(tmp_path / "qformer_tokenizer", WORDS)
        (tmp_path / "model.safetensors").write_bytes(b"0" * 50)
    config.save_pretrained(tmp_path)
    line = "cannot be loaded as an InstructBLIP" if wrong == "damaged" else "is not an InstructBLIP with a T5"
    with pytest.raises(WeightsError, match=line) as caught:
        QuestionModel(tmp_path)
    assert "\n" not in str(caught.value)
