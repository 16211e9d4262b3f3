from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.measurements.bound_change import Options, main, measure
from methods.distillation import methods
from methods.priors.closed_form.gaussian import GaussianPrior


@pytest.mark.parametrize(("limit", "is_changed"), [(None, False), (0.3, True)])
def test_only_a_range_that_is_reached_changes_an_update(limit, is_changed) -> None:
    """SDS has no inversion, so that its two settings agree; SDI's and ISM's inversion sees the range as well."""
    frame = measure(GaussianPrior(clip_target=limit), Options(images=3, progress=(0.2, 0.7)), ["sds", "ism", "sdi"])
    assert len(frame) == 3 * 2 * 2 * 3
    assert np.allclose(frame["cosine"], 1.0) == (not is_changed)
    assert np.allclose(frame["size"], 1.0) == (not is_changed)
    by_bound = frame.groupby(["method", "bound"])["size"].mean()
    assert by_bound["sds", "target"] == pytest.approx(by_bound["sds", "all"])
    if is_changed:
        assert by_bound["sds", "all"] < 1
        assert by_bound["sdi", "target"] != pytest.approx(by_bound["sdi", "all"])


def test_what_is_printed_is_written(tmp_path, monkeypatch, capsys) -> None:
    names = ["sds", "sdi"]
    monkeypatch.setattr(methods, "names", lambda: names)
    main(Options(prior="gaussian", images=2, progress=(0.5,), out=tmp_path / "bound.csv"))
    rows = pd.read_csv(tmp_path / "bound.csv").set_index(["method", "bound"])
    assert set(rows.index) == {(name, bound) for name in names for bound in ("target", "all")}
    assert f"{100 * rows.loc[('sdi', 'all'), 'size']:.1f}" in capsys.readouterr().out
