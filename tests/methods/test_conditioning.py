"""Conditioning is indexed, joined and mixed in all of its parts alike."""

from __future__ import annotations

import torch

from methods.conditioning import Conditioning

PARTS = ("sequence", "pooled", "mask", "ids")


def _conditioning(rows: int = 3) -> Conditioning:
    generator = torch.Generator().manual_seed(rows)
    return Conditioning(
        sequence=torch.randn(rows, 5, 4, generator=generator),
        pooled=torch.randn(rows, 6, generator=generator),
        mask=(torch.arange(5)[None] <= torch.arange(rows)[:, None]).long(),
        ids=torch.randn(rows, 2, generator=generator),
    )


def test_rows_are_chosen_in_every_part() -> None:
    whole, index = _conditioning(), torch.tensor([2, 0])
    chosen = whole[index]
    assert len(chosen) == 2
    assert all(torch.equal(getattr(chosen, part), getattr(whole, part)[index]) for part in PARTS)
    assert torch.equal(whole[1:].pooled, whole.pooled[1:])


def test_joining_the_rows_of_a_conditioning_gives_it_back() -> None:
    whole = _conditioning()
    joined = Conditioning.cat([whole[:1], whole[1:]])
    assert all(torch.equal(getattr(joined, part), getattr(whole, part)) for part in PARTS)
    only = Conditioning.cat([Conditioning(whole.sequence)] * 2)
    assert (len(only), only.pooled, only.mask, only.ids) == (6, None, None, None)


def test_a_mixture_is_the_weighted_mean_and_reads_every_token_that_one_of_its_rows_reads() -> None:
    whole = _conditioning()
    mixed = whole.mix(torch.tensor([[0.25, 0.0, 0.75], [0.0, 1.0, 0.0]]))
    torch.testing.assert_close(mixed.sequence[0], 0.25 * whole.sequence[0] + 0.75 * whole.sequence[2])
    torch.testing.assert_close(mixed.pooled[0], 0.25 * whole.pooled[0] + 0.75 * whole.pooled[2])
    assert torch.equal(mixed.mask, whole.mask[[2, 1]])
    assert torch.equal(mixed.ids, whole.ids[[2, 1]])
    torch.testing.assert_close(mixed.sequence[1], whole.sequence[1])
