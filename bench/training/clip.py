"""Train the toybox's CLIP and write it in open_clip's folder format.

Two losses: a contrast between images and captions that knows which captions fit several images of the
batch, and the antonym pairs of CLIP-IQA against the known damage of each image.

    python -m bench.training.clip

goes on from the last checkpoint in ``--work``; the folder of weights is written at the end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import methods.torchvision_shim  # noqa: F401  (before open_clip)

# isort: split
import numpy as np
import open_clip
import torch
import tyro
from open_clip.model import CLIP
from rich.console import Console
from torch import Tensor
from torch.nn import functional

from bench.training.claims import OBJECTS, Fit, claims_of, facts_of, fit, write_captions, wrong_caption
from bench.training.clip_figures import held_out_figures, sample_sheet
from bench.training.dataset import RESOLUTION, ToyImages, toy_images
from bench.training.loop import initialise, train, use_cpu
from bench.training.wear import DAMAGE, damage, random_backgrounds, wear
from methods.weights import write_card, write_tensors
from metrics.clip_iqa import PROMPT_PAIRS
from prompts.toybox import write_clip_tokenizer

IMAGE_MEAN = (0.48145466, 0.4578275, 0.40821073)
IMAGE_STD = (0.26862954, 0.26130258, 0.27577711)

_WIDTH, _LAYERS, _TEXT_LAYERS, _CONTEXT = 128, 4, 2, 16
_NOTHING_SHARE = 0.03


@dataclass(frozen=True)
class Options:
    """Settings of the CLIP's training."""

    images: Path = Path(".cache/toybox-images")
    """Folder of the training images."""
    work: Path = Path(".cache/train-clip")
    """Folder of the checkpoints; delete it to start from the beginning."""
    out: Path = Path("metrics/weights/toybox_clip")
    """The folder of weights to write."""
    steps: int = 600
    """Optimiser steps in all."""
    batch: int = 128
    """Images a step."""
    learning_rate: float = 1e-3
    """Highest learning rate of AdamW."""
    seed: int = 0
    """Seed of the initialisation and the batches."""
    threads: int = 2
    """CPU threads."""


def model_config(vocabulary: int) -> dict[str, Any]:
    """The toybox CLIP's architecture, as ``open_clip_config.json`` holds it."""
    return {
        "model_cfg": {
            "embed_dim": 128,
            "vision_cfg": {
                "image_size": RESOLUTION,
                "patch_size": 8,
                "width": _WIDTH,
                "layers": _LAYERS,
                "head_width": _WIDTH // 4,
                "mlp_ratio": 4.0,
                "no_ln_pre": True,  # so that a BLIP vision tower can start from this one
            },
            "text_cfg": {
                "context_length": _CONTEXT,
                "vocab_size": vocabulary,
                "hf_tokenizer_name": "toybox",  # open_clip reads the folder's own tokenizer, whatever this says
                "width": 128,
                "heads": 4,
                "layers": _TEXT_LAYERS,
            },
        },
        "preprocess_cfg": {
            "size": [RESOLUTION, RESOLUTION],
            "mean": list(IMAGE_MEAN),
            "std": list(IMAGE_STD),
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    }


def write_folder(folder: Path) -> None:
    """Write the tokenizer and the configuration; the weights come later."""
    write_clip_tokenizer(folder)
    vocabulary = len(json.loads((folder / "vocab.json").read_text(encoding="utf-8")))
    text = json.dumps(model_config(vocabulary), indent=2) + "\n"
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")


def build(folder: Path, seed: int) -> tuple[CLIP, open_clip.tokenizer.HFTokenizer]:
    """The network of a folder's configuration with seeded weights, and its tokenizer."""
    config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]
    network = CLIP(**config)
    initialise(network, torch.Generator().manual_seed(seed), layers=_LAYERS)
    return network, open_clip.get_tokenizer(f"local-dir:{folder}")


@dataclass(frozen=True)
class Batch:
    """Images and captions of one step."""

    rgb: Tensor  # (b 3 h w) in [0, 1]
    texts: list[str]  # c captions: one right for each image, then some wrong in one attribute of an image
    fit: Fit  # (c captions, b images)
    goodness: Tensor  # (b, pairs of CLIP-IQA), share of the positive word in [0, 1]


def draw_batch(images: ToyImages, seen: np.ndarray, *, count: int, seed: int, step: int) -> Batch:
    """The batch of a step: all worn, half of them damaged, a few without an object."""
    rng = np.random.default_rng([seed, step])
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    index = rng.choice(seen, count, replace=len(seen) < count)
    ground = random_backgrounds(count, generator)
    worn = damage(wear(images.over(index, ground), ground, generator), rng, generator, least=0.0, share=0.5)
    toy, view = images.toy[index], images.view[index]
    nothing = rng.random(count) < _NOTHING_SHARE
    rgb = worn.rgb.clone()
    rgb[torch.from_numpy(nothing)] = ground[torch.from_numpy(nothing), None, None, None]
    texts = write_captions(toy, view, worn.strengths, rng, quality_share=0.5)
    texts += [
        wrong_caption(OBJECTS[number], None, [seed, step, row])[1] for row, number in enumerate(toy[: count // 2])
    ]
    goodness = pair_targets(worn.strengths)
    goodness[torch.from_numpy(nothing)] = torch.tensor([0.05, 0.5, 0.05])
    return Batch(rgb, texts, fit(claims_of(texts), facts_of(toy, view, worn.strengths, nothing)), goodness)


def pair_targets(strengths: Tensor) -> Tensor:
    """Shares ``(b, pairs)`` of the positive words for damage ``(b, kinds)``: 0.95 for none, falling to 0.05.

    They fall with strength rather than jump, so that the margin between the words measures how much.
    """
    left = (1 - strengths / torch.tensor([0.8, 0.8, 0.8, 0.6])).clamp_min(0)
    of = {name: left[:, DAMAGE.index(name)] for name in DAMAGE}
    columns = {"quality": left.prod(dim=1), "sharpness": of["blur"], "real": of["warp"]}
    return 0.05 + 0.9 * torch.stack([columns[pair.column] for pair in PROMPT_PAIRS], dim=1)


def contrast(logits: Tensor, pairs: Fit) -> Tensor:
    """InfoNCE with several right answers, for logits ``(captions, images)``.

    A caption's target is uniform over the images that it fits; an image's is in proportion to how few
    images each of its captions fits, as sampling a caption of each image would give on average.  Images
    whose damage is neither one word nor its opposite are left out of a caption's contrast.
    """
    logits = logits.masked_fill(pairs.unclear, -1e4)
    by_caption = pairs.right / pairs.right.sum(dim=1, keepdim=True).clamp_min(1)
    by_image = by_caption / by_caption.sum(dim=0, keepdim=True).clamp_min(1e-6)
    captions = -(by_caption * logits.log_softmax(dim=1)).sum() / pairs.right.any(dim=1).sum()
    seen = -(by_image * logits.log_softmax(dim=0)).sum() / pairs.right.any(dim=0).sum()
    return (captions + seen) / 2


def loss_of(network: CLIP, tokenize: open_clip.tokenizer.HFTokenizer, batch: Batch) -> Tensor:
    """The contrast plus the binary cross-entropy of CLIP-IQA's pairs."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGE_MEAN, IMAGE_STD))
    antonyms = [text for pair in PROMPT_PAIRS for text in (pair.positive, pair.negative)]
    seen = network.encode_image((batch.rgb - mean) / std, normalize=True)
    said = network.encode_text(tokenize([*batch.texts, *antonyms]), normalize=True)
    scale = network.logit_scale.exp().clamp_max(100)
    captions, words = said.split([len(batch.texts), len(antonyms)])
    margin = scale * (seen @ (words[::2] - words[1::2]).T)
    return contrast(scale * captions @ seen.T, batch.fit) + functional.binary_cross_entropy_with_logits(
        margin, batch.goodness
    )


def main(options: Options) -> None:
    """Train, write the folder, measure it on held-out objects, and write its card and sample sheet."""
    use_cpu(options.threads)
    images = toy_images(options.images)
    seen = np.flatnonzero(~np.asarray(images.held_out))
    options.out.mkdir(parents=True, exist_ok=True)
    write_folder(options.out)
    network, tokenize = build(options.out, options.seed)
    settings = {name: getattr(options, name) for name in ("steps", "batch", "learning_rate", "seed")}
    train(
        network,
        lambda step: loss_of(
            network, tokenize, draw_batch(images, seen, count=options.batch, seed=options.seed, step=step)
        ),
        steps=options.steps,
        learning_rate=options.learning_rate,
        work=options.work,
        settings=settings,
    )
    network.logit_scale.data.clamp_(max=float(np.log(100)))
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    write_tensors(weights, options.out / "open_clip_model.safetensors")
    about = {
        "title": "Toybox CLIP",
        "script": "python -m bench.training.clip",
        "data": f"{len(seen)} toybox images of seen combinations, captions of the grammar, wear and damage",
        "parameters": sum(value.numel() for value in network.parameters()),
        "precision": "stored in float16, read in float32",
        "training": settings,
    }
    write_card(options.out, **about)
    figures = held_out_figures(options.out, images)
    write_card(options.out, **about, held_out=figures)
    sample_sheet(options.out, images).save(options.out / "samples.png", optimize=True)
    Console().print(figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
