"""NFSD's cost; its equation is in test_closed_form.py."""

from __future__ import annotations

from methods.distillation.nfsd import NFSD


def test_one_network_call_of_three_rows_per_view(prior, prompt, rgb, make_view, make_streams) -> None:
    NFSD()(make_view(prior, rgb), prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state={})
    assert (prior.calls, prior.rows) == (1, 6)
