"""Tokenizers without their networks count what the models count."""

from __future__ import annotations

from pathlib import Path

import pytest

from metrics import metrics
from metrics.models.text_limits import text_reader
from metrics.suites import Suite, find_suite

TEXTS = ["", "a blue duck", *(" ".join(["a striped teapot, seen from far"] * count) for count in (1, 2, 3, 9))]


@pytest.mark.parametrize(("metric", "role"), [("clip_score", "clip"), ("image_reward", "reward")])
@pytest.mark.parametrize("name", ["tiny", "toybox"])
def test_a_tokenizer_counts_what_its_model_counts(suite: Suite, name: str, metric: str, role: str) -> None:
    chosen = suite if name == "tiny" else find_suite(name)
    scorer, reader = metrics[metric](chosen), text_reader(chosen.folder(role))
    counts = [reader.tokens_cut(text) for text in TEXTS]
    assert counts == [scorer.tokens_cut(text) for text in TEXTS]
    assert counts[1] == 0 < counts[-1]
    lengths = {("tiny", "clip"): 12, ("tiny", "reward"): 12, ("toybox", "clip"): 16, ("toybox", "reward"): 35}
    assert reader.length == lengths[name, role]


def test_a_published_clip_reads_77_tokens_without_its_weights(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    (tmp_path / "card.json").write_text(
        '{"title": "x", "open_clip_name": "ViT-B-32-quickgelu", "files": {"weights.safetensors": "0"}}'
    )
    reader = text_reader(tmp_path)
    assert reader.length == 77
    assert [reader.tokens_cut("a " * count) for count in (75, 76, 100)] == [0, 1, 25]
