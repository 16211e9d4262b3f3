"""Random weights in the published files' own names and shapes, at tiny widths; needs torch and numpy alone.

The published packages are given them with ``strict=True`` (``nox -s parity``), which proves the layout.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

PROMPTS = ("a red striped car", "A DSLR photo of a car, red; a mug!", "a blue duck " * 15)
PAIRS = (("Good photo.", "Bad photo."), ("Sharp photo.", "Blurry photo."), ("Real photo.", "Abstract photo."))
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "of", "red", "blue", "striped", "car", "duck", "mug",
         "photo", "dslr", "##s", ",", ";", "!")  # fmt: skip


@dataclass(frozen=True)
class RewardSizes:
    """Sizes of ImageReward's BLIP; the head's are fixed."""

    vision_width: int = 128
    vision_layers: int = 2
    patch: int = 32
    text_width: int = 768  # the head wants it
    text_layers: int = 2
    text_mlp: int = 64
    positions: int = 64
    vocabulary: int = 24

    def med_config(self) -> dict[str, object]:
        """``med_config.json``, with the published file's keys."""
        return {
            "architectures": ["BertModel"],
            "attention_probs_dropout_prob": 0.1,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1,
            "hidden_size": self.text_width,
            "initializer_range": 0.02,
            "intermediate_size": self.text_mlp,
            "layer_norm_eps": 1e-12,
            "max_position_embeddings": self.positions,
            "model_type": "bert",
            "num_attention_heads": 12,
            "num_hidden_layers": self.text_layers,
            "pad_token_id": 0,
            "type_vocab_size": 2,
            "vocab_size": self.vocabulary,
            "encoder_width": 768,
            "add_cross_attention": True,
        }


PUBLISHED = RewardSizes(1024, 24, 16, 768, 12, 3072, 512, 30524)


def reward_shapes(sizes: RewardSizes) -> dict[str, tuple[int, ...]]:
    """Names and shapes of ``ImageReward.pt``."""
    v, t = sizes.vision_width, sizes.text_width
    shapes: dict[str, tuple[int, ...]] = {
        "blip.visual_encoder.cls_token": (1, 1, v),
        "blip.visual_encoder.pos_embed": (1, (224 // sizes.patch) ** 2 + 1, v),
        "blip.visual_encoder.patch_embed.proj.weight": (v, 3, sizes.patch, sizes.patch),
        "blip.visual_encoder.patch_embed.proj.bias": (v,),
        **_norm("blip.visual_encoder.norm", v),
        "blip.text_encoder.embeddings.word_embeddings.weight": (sizes.vocabulary, t),
        "blip.text_encoder.embeddings.position_embeddings.weight": (sizes.positions, t),
        **_norm("blip.text_encoder.embeddings.LayerNorm", t),
        **_linear("blip.vision_proj", v, 256),
        **_linear("blip.text_proj", t, 256),
    }
    for layer in range(sizes.vision_layers):
        name = f"blip.visual_encoder.blocks.{layer}"
        shapes |= _norm(f"{name}.norm1", v) | _norm(f"{name}.norm2", v)
        shapes |= _linear(f"{name}.attn.qkv", v, 3 * v) | _linear(f"{name}.attn.proj", v, v)
        shapes |= _linear(f"{name}.mlp.fc1", v, 4 * v) | _linear(f"{name}.mlp.fc2", 4 * v, v)
    for layer in range(sizes.text_layers):
        name = f"blip.text_encoder.encoder.layer.{layer}"
        for attention, seen in (("attention", t), ("crossattention", v)):
            shapes |= _linear(f"{name}.{attention}.self.query", t, t)
            shapes |= _linear(f"{name}.{attention}.self.key", seen, t)
            shapes |= _linear(f"{name}.{attention}.self.value", seen, t)
            shapes |= _linear(f"{name}.{attention}.output.dense", t, t) | _norm(
                f"{name}.{attention}.output.LayerNorm", t
            )
        shapes |= _linear(f"{name}.intermediate.dense", t, sizes.text_mlp)
        shapes |= _linear(f"{name}.output.dense", sizes.text_mlp, t) | _norm(f"{name}.output.LayerNorm", t)
    widths = (t, 1024, 128, 64, 16, 1)
    for index, before, after in zip((0, 2, 4, 6, 7), widths, widths[1:], strict=False):
        shapes |= _linear(f"mlp.layers.{index}", before, after)
    return shapes


def reward_weights(sizes: RewardSizes, seed: int) -> dict[str, Tensor]:
    """``ImageReward.pt``, random."""
    weights = random_weights(reward_shapes(sizes), seed)
    weights["blip.text_encoder.embeddings.position_ids"] = torch.arange(sizes.positions)[None]
    return weights


def clip_shapes(*, resnet: bool) -> dict[str, tuple[int, ...]]:
    """Names and shapes of OpenAI's ``RN50.pt`` or ``ViT-B-32.pt``, narrow, with the whole vocabulary."""
    embed, text = 16, 64
    shapes: dict[str, tuple[int, ...]] = {
        "positional_embedding": (77, text),
        "text_projection": (text, embed),
        "logit_scale": (),
        "token_embedding.weight": (49408, text),
        **_norm("ln_final", text),
        **_transformer("transformer", text, 1),
    }
    return shapes | (_resnet(8, embed) if resnet else _vit(64, embed))


def clip_weights(seed: int, *, resnet: bool) -> dict[str, Tensor]:
    """OpenAI's state dict, random; in numbers that float16 has, for OpenAI's loader goes through it."""
    weights = random_weights(clip_shapes(resnet=resnet), seed)
    weights["logit_scale"] = torch.tensor(math.log(20.0))  # below the published 100, so that shares do not saturate
    return {name: value.half().float() if value.is_floating_point() else value for name, value in weights.items()}


def clip_config(*, resnet: bool) -> dict[str, object]:
    """The same model for open_clip."""
    image = (
        {"image_size": 64, "layers": [1, 2, 1, 1], "width": 8, "patch_size": None}
        if resnet
        else {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16}
    )
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}
    return {"embed_dim": 16, "quick_gelu": True, "vision_cfg": image, "text_cfg": text}


@dataclass(frozen=True)
class LargeClip:
    """Sizes of a ViT-H/14; the widths of its attention heads are fixed, 80 and 64."""

    embed: int = 32
    image: int = 64
    patch: int = 16
    vision_width: int = 160
    vision_layers: int = 2
    text_width: int = 64
    text_layers: int = 2

    def open_clip(self) -> dict[str, object]:
        """The ``model_cfg`` of open_clip, and of the package hpsv2."""
        return {
            "embed_dim": self.embed,
            "vision_cfg": {"image_size": self.image, "layers": self.vision_layers, "width": self.vision_width,
                           "head_width": 80, "patch_size": self.patch},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": self.text_width,
                         "heads": self.text_width // 64, "layers": self.text_layers},
        }  # fmt: skip

    def transformers(self) -> dict[str, object]:
        """``config.json``, with the published file's keys."""
        text, vision = (
            {
                "hidden_act": "gelu", "hidden_size": width, "intermediate_size": 4 * width, "layer_norm_eps": 1e-05,
                "num_attention_heads": width // head, "num_hidden_layers": layers, "projection_dim": self.embed,
            }
            for width, head, layers in (
                (self.text_width, 64, self.text_layers), (self.vision_width, 80, self.vision_layers),
            )
        )  # fmt: skip
        text |= {"vocab_size": 49408, "max_position_embeddings": 77, "bos_token_id": 0, "eos_token_id": 2}
        vision |= {"image_size": self.image, "patch_size": self.patch, "num_channels": 3}
        return {
            "architectures": ["CLIPModel"], "model_type": "clip", "logit_scale_init_value": 2.6592,
            "projection_dim": self.embed, "text_config": text, "vision_config": vision,
        }  # fmt: skip


VIT_H = LargeClip(1024, 224, 14, 1280, 32, 1024, 24)


def hps_shapes(sizes: LargeClip) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the ``state_dict`` in ``HPS_v2.1_compressed.pt``."""
    text, vision = sizes.text_width, sizes.vision_width
    return {
        "positional_embedding": (77, text),
        "text_projection": (text, sizes.embed),
        "logit_scale": (),
        "token_embedding.weight": (49408, text),
        **_norm("ln_final", text),
        **_transformer("transformer", text, sizes.text_layers),
        "visual.class_embedding": (vision,),
        "visual.positional_embedding": ((sizes.image // sizes.patch) ** 2 + 1, vision),
        "visual.proj": (vision, sizes.embed),
        "visual.conv1.weight": (vision, 3, sizes.patch, sizes.patch),
        **_norm("visual.ln_pre", vision),
        **_norm("visual.ln_post", vision),
        **_transformer("visual.transformer", vision, sizes.vision_layers),
    }


def pick_shapes(sizes: LargeClip) -> dict[str, tuple[int, ...]]:
    """Names and shapes of PickScore's ``model.safetensors``: transformers' CLIPModel."""
    shapes: dict[str, tuple[int, ...]] = {
        "logit_scale": (),
        "text_projection.weight": (sizes.embed, sizes.text_width),
        "visual_projection.weight": (sizes.embed, sizes.vision_width),
        "text_model.embeddings.token_embedding.weight": (49408, sizes.text_width),
        "text_model.embeddings.position_embedding.weight": (77, sizes.text_width),
        **_norm("text_model.final_layer_norm", sizes.text_width),
        "vision_model.embeddings.class_embedding": (sizes.vision_width,),
        "vision_model.embeddings.patch_embedding.weight": (sizes.vision_width, 3, sizes.patch, sizes.patch),
        "vision_model.embeddings.position_embedding.weight": (
            (sizes.image // sizes.patch) ** 2 + 1, sizes.vision_width,
        ),
        **_norm("vision_model.pre_layrnorm", sizes.vision_width),
        **_norm("vision_model.post_layernorm", sizes.vision_width),
    }  # fmt: skip
    for part, width, layers in (
        ("text", sizes.text_width, sizes.text_layers), ("vision", sizes.vision_width, sizes.vision_layers),
    ):  # fmt: skip
        for layer in range(layers):
            name = f"{part}_model.encoder.layers.{layer}"
            shapes |= _norm(f"{name}.layer_norm1", width) | _norm(f"{name}.layer_norm2", width)
            for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
                shapes |= _linear(f"{name}.self_attn.{projection}", width, width)
            shapes |= _linear(f"{name}.mlp.fc1", width, 4 * width) | _linear(f"{name}.mlp.fc2", 4 * width, width)
    return shapes


def large_clip_weights(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    """Random weights of a ViT-H/14's layout, with the published logit scale of 100."""
    return random_weights(shapes, seed) | {"logit_scale": torch.tensor(math.log(100.0))}


def head_weights(seed: int, width: int = 768) -> dict[str, Tensor]:
    """``sac+logos+ava1-l14-linearMSE.pth``, random: a head of 3.7 MB."""
    widths = (width, 1024, 128, 64, 16, 1)
    shapes: dict[str, tuple[int, ...]] = {}
    for number, before, after in zip((0, 2, 4, 6, 7), widths, widths[1:], strict=False):
        shapes |= _linear(f"layers.{number}", before, after)
    return random_weights(shapes, seed)


def mend_torchvision() -> None:
    """What ``methods.torchvision_shim`` does, for a Python that has none of this project."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:  # built for CUDA, while torch is built without it
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]


def images(count: int, height: int, width: int, seed: int) -> np.ndarray:
    """Uint8 ``(count height width 3)``: coarse blocks of colour under noise, each in its own colours."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 200, (count, -(-height // 16), -(-width // 16), 3))
    coarse = blocks.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width]
    shown: np.ndarray = (coarse + rng.integers(0, 56, coarse.shape)).astype(np.uint8)
    return shown


def random_weights(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    """Weights that keep the size of what they are given, so that every layer counts."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in sorted(shapes.items()):
        if name.endswith("num_batches_tracked"):
            found[name] = torch.tensor(1)
            continue
        noise = torch.randn(shape, generator=generator)
        if name.endswith("running_var"):
            found[name] = 0.5 + noise.abs()
        elif len(shape) < 2:
            scale = any(part in name.lower() for part in ("norm", "ln_", "bn", "downsample.1")) and "weight" in name
            found[name] = 0.2 * noise + scale
        elif "embed" in name or "token" in name:
            found[name] = 0.3 * noise
        else:
            found[name] = 1.2 * noise / math.sqrt(math.prod(shape[1:]))
    return found


def _linear(name: str, before: int, after: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (after, before), f"{name}.bias": (after,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _batch_norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    running = {f"{name}.running_mean": (width,), f"{name}.running_var": (width,), f"{name}.num_batches_tracked": ()}
    return _norm(name, width) | running


def _transformer(name: str, width: int, layers: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(layers):
        block = f"{name}.resblocks.{layer}"
        shapes |= {f"{block}.attn.in_proj_weight": (3 * width, width), f"{block}.attn.in_proj_bias": (3 * width,)}
        shapes |= _linear(f"{block}.attn.out_proj", width, width)
        shapes |= _norm(f"{block}.ln_1", width) | _norm(f"{block}.ln_2", width)
        shapes |= _linear(f"{block}.mlp.c_fc", width, 4 * width) | _linear(f"{block}.mlp.c_proj", 4 * width, width)
    return shapes


def _vit(width: int, embed: int) -> dict[str, tuple[int, ...]]:
    return {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": (17, width),
        "visual.proj": (width, embed),
        "visual.conv1.weight": (width, 3, 16, 16),
        **_norm("visual.ln_pre", width),
        **_norm("visual.ln_post", width),
        **_transformer("visual.transformer", width, 2),
    }


def _resnet(width: int, embed: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for index, before, after in ((1, 3, width // 2), (2, width // 2, width // 2), (3, width // 2, width)):
        shapes |= {f"visual.conv{index}.weight": (after, before, 3, 3), **_batch_norm(f"visual.bn{index}", after)}
    before = width
    for stage, blocks in enumerate((1, 2, 1, 1)):
        inner = width * 2**stage
        for block in range(blocks):
            name, after = f"visual.layer{stage + 1}.{block}", 4 * inner
            shapes |= {f"{name}.conv1.weight": (inner, before, 1, 1), f"{name}.conv2.weight": (inner, inner, 3, 3)}
            shapes |= {f"{name}.conv3.weight": (after, inner, 1, 1), **_batch_norm(f"{name}.bn1", inner)}
            shapes |= _batch_norm(f"{name}.bn2", inner) | _batch_norm(f"{name}.bn3", after)
            if block == 0:
                shapes |= {f"{name}.downsample.0.weight": (after, before, 1, 1)}
                shapes |= _batch_norm(f"{name}.downsample.1", after)
            before = after
    shapes["visual.attnpool.positional_embedding"] = (5, before)
    for part in ("k_proj", "q_proj", "v_proj"):
        shapes |= _linear(f"visual.attnpool.{part}", before, before)
    return shapes | _linear("visual.attnpool.c_proj", before, embed)
