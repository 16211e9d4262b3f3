import numpy as np
import pytest

from reports.statistics import interquartile_mean


def test_mean_of_the_middle_half():
    values = np.random.default_rng(0).normal(size=43)
    assert float(interquartile_mean(values)) == pytest.approx(np.sort(values)[10:33].mean())
    assert float(interquartile_mean([1e9, 1.0, 2.0, -1e9])) == 1.5
    assert interquartile_mean(values[:40].reshape(2, 20), axis=1).shape == (2,)
