"""Train the toybox's reward model, ImageReward's architecture, on preferences that are known by construction.

Each step shows two versions of an image, one damaged more than the other, with a caption that is right and
one that is wrong in a single attribute.  The loss is that of ImageReward: −log σ(better − worse).  The image
encoder starts from the toybox CLIP's (ImageReward's BLIP was trained beforehand too).

    python -m bench.training.reward

goes on from the last checkpoint in ``--work``; the folder of weights is written at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from bench.training.claims import OBJECTS, Facts, claims_of, facts_of, fit, wrong_caption
from bench.training.clip import IMAGE_MEAN, IMAGE_STD
from bench.training.dataset import RESOLUTION, ToyImages, toy_images
from bench.training.loop import initialise, train, use_cpu
from bench.training.reward_figures import held_out_figures, sample_sheet
from bench.training.wear import DAMAGE, Worn, damage, random_backgrounds, wear
from methods.weights import verify_weights, write_card, write_tensors
from metrics.models.reward import CONFIG_FILE, WEIGHTS_FILE, RewardConfig, RewardNetwork, RewardTokenizer
from prompts.toybox import VIEWS
from prompts.toybox.captions import WORDS

_WIDTH, _VISION_LAYERS, _TEXT_LAYERS, _MAX_LENGTH = 128, 4, 3, 35
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True)
class Options:
    """Settings of the reward model's training."""

    images: Path = Path(".cache/toybox-images")
    """Folder of the training images."""
    clip: Path = Path("metrics/weights/toybox_clip")
    """The CLIP whose image encoder this one starts from."""
    work: Path = Path(".cache/train-reward")
    """Folder of the checkpoints; delete it to start from the beginning."""
    out: Path = Path("metrics/weights/toybox_reward")
    """The folder of weights to write."""
    steps: int = 450
    """Optimiser steps in all."""
    batch: int = 48
    """Images a step; each is seen in two versions and with two captions."""
    learning_rate: float = 6e-4
    """Highest learning rate of AdamW."""
    seed: int = 0
    """Seed of the initialisation and the batches."""
    threads: int = 2
    """CPU threads."""


def write_folder(folder: Path) -> RewardConfig:
    """Write the vocabulary and the tokenizer's settings; return the configuration, not yet normalised."""
    words = [*_SPECIAL, *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    settings = '{"tokenizer_class": "BertTokenizer", "do_lower_case": true}\n'
    (folder / "tokenizer_config.json").write_text(settings, encoding="utf-8")
    sizes = {"hidden_size": _WIDTH, "intermediate_size": 4 * _WIDTH, "num_attention_heads": 4}
    vision = {**sizes, "patch_size": 8, "num_hidden_layers": _VISION_LAYERS, "layer_norm_eps": 1e-5}
    text = {
        **sizes,
        "vocab_size": len(words),
        "encoder_hidden_size": _WIDTH,
        "num_hidden_layers": _TEXT_LAYERS,
        "max_position_embeddings": _MAX_LENGTH,
        "pad_token_id": 0,
        "bos_token_id": words.index("[CLS]"),
        "sep_token_id": words.index("[SEP]"),
    }
    return RewardConfig(
        vision=vision,
        text=text,
        head_widths=(160, 32, 16, 8),  # ImageReward's, by the ratio of the widths
        mean=0.0,
        std=1.0,
        image_size=RESOLUTION,
        image_mean=IMAGE_MEAN,
        image_std=IMAGE_STD,
        max_length=_MAX_LENGTH,
    )


def blip_vision_weights(clip: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An open_clip vision transformer without its first norm, in the names of transformers' BLIP vision model.

    The two compute the same; open_clip has no bias on its patches and projects the class token in the end.
    """
    found = {name.removeprefix("visual."): value.float() for name, value in clip.items() if name.startswith("visual.")}
    weights = {
        "embeddings.class_embedding": found["class_embedding"][None, None],
        "embeddings.position_embedding": found["positional_embedding"][None],
        "embeddings.patch_embedding.weight": found["conv1.weight"],
        "embeddings.patch_embedding.bias": torch.zeros(len(found["conv1.weight"])),
        "post_layernorm.weight": found["ln_post.weight"],
        "post_layernorm.bias": found["ln_post.bias"],
    }
    renamed = {
        "ln_1.": "layer_norm1.",
        "ln_2.": "layer_norm2.",
        "attn.in_proj_": "self_attn.qkv.",
        "attn.out_proj.": "self_attn.projection.",
        "mlp.c_fc.": "mlp.fc1.",
        "mlp.c_proj.": "mlp.fc2.",
    }
    for name, value in found.items():
        if name.startswith("transformer.resblocks."):
            layer, part = name.removeprefix("transformer.resblocks.").split(".", 1)
            old = next(start for start in renamed if part.startswith(start))
            weights[f"encoder.layers.{layer}.{part.replace(old, renamed[old])}"] = value
    return weights


@dataclass(frozen=True)
class Batch:
    """Preferences of one step, ``b`` images in two versions."""

    better: Tensor  # (b 3 h w) in [0, 1]
    worse: Tensor  # (b 3 h w), the same with more damage
    right: list[str]  # b captions
    wrong: list[str]  # b captions, each wrong in one attribute
    stranger: Tensor  # (b,) bool, the next image of the batch is wrong for the right caption too
    visible: Tensor  # (b,) bool, the worse version still shows what it is


def draw_batch(images: ToyImages, among: np.ndarray, *, count: int, seed: int, step: int) -> Batch:
    """The batch of a step."""
    rng = np.random.default_rng([seed, step])
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    index = rng.choice(among, count, replace=len(among) < count)
    ground = random_backgrounds(count, generator)
    worn = wear(images.over(index, ground), ground, generator)
    better = _weakly_damaged(worn, rng, generator)
    worse = damage(better, rng, generator, least=0.3, share=1.0)
    toy, view = images.toy[index], images.view[index]
    captions = [
        wrong_caption(OBJECTS[number], VIEWS[seen] if rng.random() < 0.4 else None, [seed, step, row])
        for row, (number, seen) in enumerate(zip(toy, view, strict=True))
    ]
    right, wrong = [pair[0] for pair in captions], [pair[1] for pair in captions]
    facts = facts_of(toy, view, worn.strengths)
    others = fit(claims_of(right), Facts(facts.attributes.roll(-1, 0), torch.zeros_like(facts.strengths))).right
    return Batch(better.rgb, worse.rgb, right, wrong, ~others.diagonal(), worse.strengths.amax(dim=1) < 0.8)


def _weakly_damaged(worn: Worn, rng: np.random.Generator, generator: torch.Generator) -> Worn:
    """A third of the images a little damaged, so that worse is not simply damaged at all."""
    damaged = damage(worn, rng, generator, least=0.3, share=1.0)
    share = torch.from_numpy(rng.uniform(0.1, 0.4, len(worn.rgb))).float() * torch.from_numpy(
        rng.random(len(worn.rgb)) < 1 / 3
    )
    return Worn(torch.lerp(worn.rgb, damaged.rgb, share[:, None, None, None]), worn.strengths)


def rewards_of(network: RewardNetwork, tokenize: RewardTokenizer, states: Tensor, texts: list[str]) -> Tensor:
    """Rewards ``(b,)`` of encoded images ``(b p d)`` for their texts."""
    rewards: Tensor = network(states, *tokenize(texts, shortest=True))
    return rewards


def normalised(rgb: Tensor) -> Tensor:
    """Images as the network takes them."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGE_MEAN, IMAGE_STD))
    return (rgb - mean) / std


def loss_of(network: RewardNetwork, tokenize: RewardTokenizer, batch: Batch) -> Tensor:
    """−log σ(better − worse), averaged over the kinds of preference."""
    count = len(batch.right)
    better, worse = network.encode_image(normalised(torch.cat([batch.better, batch.worse]))).split(count)
    states = torch.cat([better, better, worse, worse, better.roll(-1, 0)])
    texts = [*batch.right, *batch.wrong, *batch.right, *batch.wrong, *batch.right]
    best, mismatched, damaged, both, stranger = rewards_of(network, tokenize, states, texts).split(count)
    one = torch.ones(count, dtype=torch.bool)
    preferences = (
        (best - damaged, one),
        (best - mismatched, one),
        (damaged - both, batch.visible),
        (best - stranger, batch.stranger),
    )
    losses = [-(functional.logsigmoid(gap) * holds).sum() / holds.sum().clamp_min(1) for gap, holds in preferences]
    return torch.stack(losses).mean()


@torch.no_grad()
def normalisation(network: RewardNetwork, tokenize: RewardTokenizer, batches: list[Batch]) -> tuple[float, float]:
    """Mean and standard deviation of the raw rewards over better and worse images with right and wrong captions."""
    raw = []
    for batch in batches:
        for rgb in (batch.better, batch.worse):
            states = network.encode_image(normalised(rgb))
            raw += [rewards_of(network, tokenize, states, texts) for texts in (batch.right, batch.wrong)]
    rewards = torch.cat(raw)
    return float(rewards.mean()), float(rewards.std())


def main(options: Options) -> None:
    """Train, write the folder, measure it on held-out objects, and write its card and sample sheet."""
    use_cpu(options.threads)
    images = toy_images(options.images)
    seen = np.flatnonzero(~np.asarray(images.held_out))
    options.out.mkdir(parents=True, exist_ok=True)
    config = write_folder(options.out)
    clip_sha256 = verify_weights(options.clip)
    network = RewardNetwork(config)
    initialise(network, torch.Generator().manual_seed(options.seed), layers=_TEXT_LAYERS)
    network.vision.load_state_dict(blip_vision_weights(load_file(options.clip / "open_clip_model.safetensors")))
    network.eval()  # dropout draws from the global generator, and every batch is new anyway
    tokenize = RewardTokenizer(options.out, _MAX_LENGTH)
    settings = {name: getattr(options, name) for name in ("steps", "batch", "learning_rate", "seed")}

    def batch(step: int) -> Batch:
        return draw_batch(images, seen, count=options.batch, seed=options.seed, step=step)

    train(
        network,
        lambda step: loss_of(network, tokenize, batch(step)),
        steps=options.steps,
        learning_rate=options.learning_rate,
        work=options.work,
        settings={**settings, "clip_sha256": clip_sha256},
    )
    mean, std = normalisation(network, tokenize, [batch(options.steps + more) for more in range(10)])
    config = config.model_copy(update={"mean": mean, "std": std})
    (options.out / CONFIG_FILE).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    weights = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    write_tensors(weights, options.out / WEIGHTS_FILE)
    about = {
        "title": "Toybox reward model",
        "script": "python -m bench.training.reward",
        "data": f"{len(seen)} toybox images of seen combinations; preferences by damage ({', '.join(DAMAGE)}) and by "
        "captions wrong in one attribute",
        "parameters": sum(value.numel() for value in network.parameters()),
        "precision": "stored in float16, read in float32",
        "training": {**settings, "started_from_clip_sha256": clip_sha256},
    }
    write_card(options.out, **about)
    figures = held_out_figures(options.out, images)
    write_card(options.out, **about, held_out=figures)
    sample_sheet(options.out, images).save(options.out / "samples.png", optimize=True)
    Console().print(figures)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
