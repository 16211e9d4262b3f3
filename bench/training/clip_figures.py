"""Figures and a sample sheet of the toybox's CLIP on objects that it never saw, for its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from bench.training.claims import OBJECTS, claims_of, facts_of, fit
from bench.training.dataset import RESOLUTION, ToyImages
from bench.training.wear import DAMAGE
from methods.cameras import evaluation_ring
from methods.pixels import to_bytes
from metrics.clip_iqa import PROMPT_PAIRS
from metrics.models.clip import ClipModel
from prompts import load_prompt_set
from prompts.toybox import DEGRADATIONS, ToyObject, develop, is_held_out, trace, with_article

_RING = 24
_SUPERSAMPLE = 2
_IMAGES = 1000
_SEED = 1  # of the images and the damage in the figures
_SHEET_SEED = 2  # of those on the sample sheet

#: The damage that each pair of CLIP-IQA is about.
_PAIR_DAMAGE = {"quality": DAMAGE, "sharpness": ("blur",), "real": ("warp",)}


def held_out_figures(folder: Path, images: ToyImages) -> dict[str, float]:
    """Shares in [0, 1] on combinations of kind, colour and pattern that training left out."""
    model = ClipModel(folder)
    rng = np.random.default_rng(_SEED)
    unseen = np.flatnonzero(images.held_out)
    index = np.sort(rng.choice(unseen, min(_IMAGES, len(unseen)), replace=False))
    rgb = to_uint8(images.over(index, torch.ones(len(index))))
    names = [with_article(toy.name) for toy in OBJECTS]
    nearest = (model.image_features(rgb) @ model.text_features(names).T).argmax(dim=1).numpy()
    return {
        "retrieval_top1_study_prompts": study_retrieval(model),
        "retrieval_top1_all_objects": float((nearest == images.toy[index]).mean()),
        **antonym_accuracy(model, images.over(index[:400], torch.ones(min(400, len(index)))), _SEED),
    }


def study_retrieval(model: ClipModel) -> float:
    """Share of the evaluation ring's views of held-out objects whose nearest study prompt is right of them."""
    texts = [prompt.text for prompt in load_prompt_set("toybox").prompts]
    claims, right = claims_of(texts), []
    fits = {toy: _fitting(claims, toy) for toy in OBJECTS if is_held_out(toy)}
    for kind in dict.fromkeys(toy.kind for toy, some in fits.items() if some.any()):
        toys = [toy for toy, some in fits.items() if toy.kind == kind and some.any()]
        for toy, rgb in zip(toys, ring_views(toys), strict=True):
            nearest = (model.image_features(rgb) @ model.text_features(texts).T).argmax(dim=1)
            right += fits[toy][nearest].tolist()
    return float(np.mean(right)) if right else float("nan")


def _fitting(claims: Tensor, toy: ToyObject) -> Tensor:
    """Say which of the claims ``(n 5)`` hold for an undamaged image of ``toy``, ``(n,)`` bool."""
    number, view = np.array([OBJECTS.index(toy)]), np.zeros(1, dtype=np.int64)
    return fit(claims, facts_of(number, view, torch.zeros(1, len(DAMAGE)))).right[:, 0]


def ring_views(toys: list[ToyObject]) -> list[np.ndarray]:
    """Uint8 evaluation views ``(ring 64 64 3)`` over white of objects of one kind."""
    rays = evaluation_ring(_RING).rays(_SUPERSAMPLE * RESOLUTION)
    views: list[list[Tensor]] = [[] for _ in toys]
    for origins, directions in zip(rays.origins, rays.directions, strict=True):
        surface = trace(toys[0].kind, origins, directions)
        for toy, seen in zip(toys, views, strict=True):
            seen.append(develop(surface, toy, _SUPERSAMPLE).over(1.0))
    return [to_uint8(torch.stack(seen)) for seen in views]


def antonym_accuracy(model: ClipModel, clean: Tensor, seed: int) -> dict[str, float]:
    """For each pair of words: how often the clean one of two images scores higher, and how often both are right."""
    generator = torch.Generator().manual_seed(seed)
    figures = {}
    for pair in PROMPT_PAIRS:
        words = model.text_features([pair.positive, pair.negative])
        higher, right = [], []
        for name in _PAIR_DAMAGE[pair.column]:
            damaged = DEGRADATIONS[name](clean, 0.7, generator)
            margins = [
                ((model.image_features(to_uint8(rgb)) @ words.T) @ torch.tensor([1.0, -1.0])).numpy()
                for rgb in (clean, damaged)
            ]
            higher.append((margins[0] > margins[1]).mean())
            right.append(((margins[0] > 0).mean() + (margins[1] < 0).mean()) / 2)
        figures[f"{pair.column}_prefers_clean"] = float(np.mean(higher))
        figures[f"{pair.column}_right_side"] = float(np.mean(right))
    return figures


def sample_sheet(folder: Path, images: ToyImages) -> Image.Image:
    """Twelve held-out images, half of them damaged, with the nearest object name and the shares of CLIP-IQA."""
    model = ClipModel(folder)
    rng, generator = np.random.default_rng(_SHEET_SEED), torch.Generator().manual_seed(_SHEET_SEED)
    index = rng.choice(np.flatnonzero(images.held_out), 12)
    rgb = images.over(index, torch.ones(12))
    for row, name in zip(range(1, 12, 2), [*DAMAGE, *DAMAGE], strict=False):
        rgb[row : row + 1] = DEGRADATIONS[name](rgb[row : row + 1], 0.7, generator)
    seen = model.image_features(to_uint8(rgb))
    names = [toy.name for toy in OBJECTS]
    nearest = (seen @ model.text_features([with_article(name) for name in names]).T).argmax(dim=1)
    words = [text for pair in PROMPT_PAIRS for text in (pair.positive, pair.negative)]
    logits = model.logit_scale * seen @ model.text_features(words).T
    shares = 100 * logits.reshape(12, -1, 2).softmax(dim=-1)[..., 0]
    titles = [
        f"{names[near]}\n"
        + " ".join(f"{pair.column[0]}{share:.0f}" for pair, share in zip(PROMPT_PAIRS, row, strict=True))
        for near, row in zip(nearest.tolist(), shares.tolist(), strict=True)
    ]
    return sheet(rgb, titles)


def sheet(rgb: Tensor, titles: list[str], *, columns: int = 6) -> Image.Image:
    """Images ``(n 3 h w)`` in a grid, each under its title."""
    figure = Figure(figsize=(1.5 * columns, 1.75 * -(-len(rgb) // columns)), dpi=72, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axes, image, title in zip(figure.subplots(-(-len(rgb) // columns), columns).flat, rgb, titles, strict=False):
        axes.imshow(image.permute(1, 2, 0).clamp(0, 1).numpy())
        axes.set_title(title, fontsize=7)
        axes.set_axis_off()
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(128)


def to_uint8(rgb: Tensor) -> np.ndarray:
    """``(n 3 h w)`` in [0, 1] to uint8 ``(n h w 3)``."""
    return to_bytes(rgb.permute(0, 2, 3, 1))
