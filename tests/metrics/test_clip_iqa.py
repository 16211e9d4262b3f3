"""CLIP-IQA against numpy on open_clip's features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from scipy.special import softmax

from metrics.clip_iqa import ClipIqa
from metrics.suites import Suite
from metrics.views import Views

PAIRS = {
    "quality": ("Good photo.", "Bad photo."),
    "sharpness": ("Sharp photo.", "Blurry photo."),
    "real": ("Real photo.", "Abstract photo."),
}


@pytest.mark.parametrize("column", PAIRS)
def test_share_is_the_softmax_of_the_pair_and_margin_its_difference(
    suite: Suite, make_views: Callable[..., Views], column: str
) -> None:
    views = make_views(6)
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{suite.folder('iqa')}")
    tokens = open_clip.get_tokenizer(f"local-dir:{suite.folder('iqa')}")(list(PAIRS[column]))
    with torch.no_grad():
        images = model.eval().encode_image(torch.stack([preprocess(Image.fromarray(rgb)) for rgb in views.rgb])).numpy()
        texts = model.encode_text(tokens).numpy()
    norms = np.linalg.norm(images, axis=1)[:, None] * np.linalg.norm(texts, axis=1)
    cosines = images @ texts.T / norms
    found = ClipIqa(suite).score(views, "anything", [])
    logits = model.logit_scale.exp().item() * cosines
    np.testing.assert_allclose(found[column], 100 * softmax(logits, axis=1)[:, 0], atol=1e-3)
    np.testing.assert_allclose(found[f"{column}_margin"], 100 * (cosines[:, 0] - cosines[:, 1]), atol=1e-4)
    assert np.ptp(found[column]) > 0


def test_prompt_plays_no_part(suite: Suite, make_views: Callable[..., Views]) -> None:
    metric, views = ClipIqa(suite), make_views(3)
    first, second = metric.score(views, "a red car", []), metric.score(views, "a blue duck", [])
    assert first.keys() == set(metric.card.column_names)
    for column in metric.card.column_names:
        np.testing.assert_array_equal(first[column], second[column])


def test_toybox_tokenizer_reads_the_pairs_as_words(suite: Suite) -> None:
    tokenizer = open_clip.get_tokenizer(f"local-dir:{suite.folder('iqa')}").tokenizer
    words = [tokenizer.tokenize(text) for pair in PAIRS.values() for text in pair]
    assert [word[1:] for word in words] == [["photo</w>", ".</w>"]] * 6
    assert len({word[0] for word in words}) == 6
