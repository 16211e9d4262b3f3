from __future__ import annotations

import pytest
import torch

from bench.cells.streams import STREAM_NAMES, make_streams, stream_seed


def test_a_stream_is_the_same_every_time_and_another_for_each_name_seed_and_prompt() -> None:
    first = {name: torch.rand(8, generator=stream) for name, stream in make_streams(0, "blue-duck").items()}
    again = {name: torch.rand(8, generator=stream) for name, stream in make_streams(0, "blue-duck").items()}
    assert all(torch.equal(first[name], again[name]) for name in STREAM_NAMES)
    seeds = {stream_seed(seed, prompt, name) for seed in (0, 1) for prompt in ("a", "b") for name in STREAM_NAMES}
    assert len(seeds) == 4 * len(STREAM_NAMES)


def test_seeds_do_not_move_between_versions() -> None:
    # SHA-256 of "0\nblue-duck\ncamera": sha256sum prints the same
    assert stream_seed(0, "blue-duck", "camera") == 0x0598FD26A743E731 >> 1


def test_a_misspelt_stream_is_named_with_the_nearest_one() -> None:
    with pytest.raises(KeyError, match="unknown stream 'timestp': did you mean timestep"):
        make_streams(0, "duck")["timestp"]
