from __future__ import annotations

import pytest
import torch

from bench.forecast.operations import count_operations


def test_products_count_two_and_everything_else_one_for_each_number_written() -> None:
    left, right = torch.ones(5, 7, device="meta"), torch.ones(7, 3, device="meta")
    with count_operations() as counted:
        product = left @ right
        (product + 1).relu().view(-1)  # a view writes nothing
        torch.arange(1000)  # no floating-point number
    assert counted.products == 2 * 5 * 7 * 3
    assert counted.all == counted.products + 2 * 5 * 3
    assert counted.launches == 4  # the product, the sum, the maximum, the range


def test_the_gradient_of_a_frozen_network_is_one_product_per_layer() -> None:
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Conv2d(8, 4, 1)).to("meta")
    layers.requires_grad_(requires_grad=False)
    image = torch.ones(1, 3, 16, 16, device="meta", requires_grad=True)
    once = 2 * 16 * 16 * (3 * 8 * 9 + 8 * 4)
    with count_operations() as counted:
        found = layers(image)
        assert counted.products == once
        found.sum().backward()
    assert counted.products == 2 * once


def test_memory_is_what_is_held_at_the_same_time() -> None:
    kilobyte = torch.ones(256, device="meta")  # there before, and so not counted
    with count_operations() as counted:
        kept = kilobyte + 1
        for _ in range(5):
            kilobyte * 2  # dropped at once
        assert counted.live_bytes == 1024
        assert counted.peak_bytes == 2048
        del kept
        assert counted.live_bytes == 0
    assert counted.peak_bytes == 2048


def test_what_waits_for_a_gradient_is_held_until_it_is_there() -> None:
    given = torch.ones(256, device="meta", requires_grad=True)
    with count_operations() as counted:
        found = given.exp().exp().sum()
        assert counted.live_bytes == pytest.approx(2 * 1024, abs=8)  # each is its own derivative
        found.backward()
        del found
        assert counted.live_bytes == 1024  # the gradient


def test_attention_holds_no_matrix_of_tokens_against_tokens() -> None:
    tokens, width = 512, 8
    query = torch.ones(1, 1, tokens, width, device="meta", dtype=torch.float16)
    with torch.no_grad(), count_operations() as counted:
        torch.nn.functional.scaled_dot_product_attention(query, query, query)
    assert counted.products == 2 * 2 * tokens**2 * width
    assert counted.peak_bytes < tokens**2
