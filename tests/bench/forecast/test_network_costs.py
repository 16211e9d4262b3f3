"""The counted cost of a tiny pipeline's networks, against formulas that are worked out layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from bench.forecast.counting_prior import Request
from bench.forecast.gpus import LAUNCH_SECONDS
from bench.forecast.network_costs import NetworkCosts
from methods.priors.loading import architecture_of
from methods.priors.pipeline.architecture import Architecture
from methods.priors.pipeline.hub import SD21
from methods.priors.pipeline.shape_networks import ShapeNetworks
from methods.weights import WeightsMissingError

TINY = Architecture(
    {
        "unet": {
            "sample_size": 8, "block_out_channels": (16, 32), "layers_per_block": 1, "cross_attention_dim": 24,
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "attention_head_dim": [2, 4],
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "norm_num_groups": 8, "use_linear_projection": True,
        },
        "vae": {
            "sample_size": 32, "block_out_channels": (8, 8, 16), "layers_per_block": 1, "latent_channels": 4,
            "down_block_types": ("DownEncoderBlock2D",) * 3, "up_block_types": ("UpDecoderBlock2D",) * 3,
            "norm_num_groups": 4,
        },
        "text_encoder": {
            "vocab_size": 64, "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "max_position_embeddings": 12,
        },
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def costs() -> NetworkCosts:
    return NetworkCosts(TINY)


@contextmanager
def by_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Operations of layers, 2·inputs·kernel for each number out, and of attention, by the layers' own shapes."""
    found = {"layers": 0, "attention": 0}
    attention = nn.functional.scaled_dot_product_attention

    def layer(module: nn.Module, given: Any, out: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            found["layers"] += 2 * out.numel() * module.in_channels * module.kernel_size[0] * module.kernel_size[1]
        elif isinstance(module, nn.Linear):
            found["layers"] += 2 * out.numel() * module.in_features

    def attend(query: torch.Tensor, key: torch.Tensor, *rest: Any, **named: Any) -> torch.Tensor:
        found["attention"] += 2 * 2 * query.numel() * key.shape[-2]
        return attention(query, key, *rest, **named)

    handle = nn.modules.module.register_module_forward_hook(layer)
    with monkeypatch.context() as patch:
        patch.setattr(nn.functional, "scaled_dot_product_attention", attend)
        yield found
    handle.remove()


def _written(networks: ShapeNetworks) -> dict[str, Callable[[], Any]]:
    return {
        "unet": lambda: networks.predict_noise(networks.latents()),
        "encoder": lambda: networks.encode(networks.images()),
        "decoder": lambda: networks.decode(networks.latents()),
    }


@pytest.mark.parametrize("network", ["unet", "encoder", "decoder"])
def test_a_row_costs_what_its_layers_do(network: Any, costs: NetworkCosts, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = ShapeNetworks(TINY)  # embeds a text
    with torch.no_grad(), by_hand(monkeypatch) as layers:
        _written(networks)[network]()
    assert layers["attention"] > 0
    products = layers["layers"] + layers["attention"]
    forward = costs.of(Request(network, has_gradient=False))
    assert products < forward.operations < 1.3 * products  # norms and activations of a small network
    # a product for each frozen layer's input, and the five of fused attention's gradient for its two
    both = costs.of(Request(network, has_gradient=True))
    again = layers["layers"] + 2.5 * layers["attention"]
    assert products + again == pytest.approx(both.operations, rel=0.3)
    assert both.operations - forward.operations > 0.95 * again
    assert 0 <= forward.held_bytes < both.held_bytes <= both.peak_bytes


def test_training_a_copy_costs_more_than_evaluating_it(costs: NetworkCosts) -> None:
    plain = costs.of(Request("unet", has_gradient=False))
    seen = costs.of(Request("adapted", has_gradient=False), 4)
    trained = costs.of(Request("adapted", has_gradient=True), 4)
    assert plain.operations < seen.operations < 1.6 * plain.operations
    assert trained.operations > 1.8 * seen.operations
    assert trained.held_bytes > seen.peak_bytes
    assert trained.launches >= seen.launches > plain.launches
    assert costs.trained_bytes(0) == 0
    assert 0 < costs.trained_bytes(4) < costs.trained_bytes(8)


def test_stable_diffusion_is_of_the_published_size() -> None:
    """Parameters of the published files; 0.8 · 10¹² operations for a row at 512² (401 · 10⁹ products and sums)."""
    architecture = architecture_of("sd21")
    assert architecture == Architecture.of_file(SD21.shapes)
    costs = NetworkCosts(architecture)
    assert costs.is_half
    assert costs.weight_bytes == 2 * (865_910_724 + 83_653_863 + 340_387_840)
    unet = costs.of(Request("unet", has_gradient=False))
    assert unet.operations == pytest.approx(0.804e12, rel=0.01)
    # the published evaluations a second are shared out over these operators; another version of diffusers may differ
    assert unet.launches * LAUNCH_SECONDS == pytest.approx(1 / 41.89, rel=0.05)


def test_the_toybox_is_counted_by_its_own_files_in_float32() -> None:
    architecture = architecture_of("toybox")
    assert architecture is not None
    costs = NetworkCosts(architecture)
    assert not costs.is_half
    patches, size, kept = 16 * 16, 3 * 4 * 4, 16
    assert costs.of(Request("encoder", has_gradient=False)).operations == pytest.approx(
        2 * patches * size * kept, rel=0.25
    )
    assert architecture_of("gaussian") is None


def test_another_repository_than_the_known_one_has_unknown_shapes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("SDIBENCH_SD21", "someone/else")
    with pytest.raises(WeightsMissingError):
        architecture_of("sd21")
    monkeypatch.delenv("SDIBENCH_SD21")
    assert architecture_of("sd21") is not None
