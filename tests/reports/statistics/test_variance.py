import numpy as np
import pandas as pd
import pytest

from reports.statistics import variance_components

NAN = float("nan")


def study(rng, *, prompts=30, seeds=3, views=8, drop=0.0, sds=(2.0, 1.0, 0.5)):
    between, within, noise = sds
    values = 30 + rng.normal(0, between, (prompts, 1, 1)) + rng.normal(0, within, (prompts, seeds, 1))
    values = values + rng.normal(0, noise, (prompts, seeds, views))
    index = pd.MultiIndex.from_product(
        [range(prompts), range(seeds), range(views)], names=["prompt_id", "seed", "view"]
    )
    rows = pd.DataFrame({"value": values.ravel()}, index=index).reset_index()
    return rows[rng.uniform(size=len(rows)) >= drop]


def test_balanced_study_has_the_textbooks_mean_squares():
    rows = study(np.random.default_rng(0), prompts=7, seeds=3, views=4)
    cube = rows["value"].to_numpy().reshape(7, 3, 4)
    prompts, assets = cube.mean(axis=(1, 2)), cube.mean(axis=2)
    within = cube.var(axis=2, ddof=1).mean()
    seeds = assets.var(axis=1, ddof=1).mean() - within / 4
    got = variance_components(rows)
    expected = (prompts.var(ddof=1) - assets.var(axis=1, ddof=1).mean() / 3, seeds, within)
    assert (got.prompt, got.seed, got.view) == pytest.approx(expected)
    assert (got.prompts, got.assets, got.views, got.reason) == (7, 21, 84, "")


@pytest.mark.parametrize("drop", [0.0, 0.5])
def test_estimates_are_unbiased_also_with_missing_views_and_seeds(drop):
    rng = np.random.default_rng(1)
    found = []
    for _ in range(100):
        rows = study(rng, prompts=15, seeds=2, views=3, drop=drop)
        got = variance_components(rows)
        found.append((got.prompt, got.seed, got.view))
    error = np.std(found, axis=0, ddof=1) / np.sqrt(100)
    assert np.abs(np.mean(found, axis=0) - [4.0, 1.0, 0.25]) == pytest.approx([0, 0, 0], abs=3 * error.max())
    assert (np.abs(np.mean(found, axis=0) - [4.0, 1.0, 0.25]) < 3.5 * error).all()


def test_the_prompts_variance_includes_the_noise_of_a_single_seed():
    rows = study(np.random.default_rng(2), prompts=400, seeds=1)
    got = variance_components(rows)
    assert (got.seed, got.reason) == (None, "one seed per prompt: the prompts' variance includes the noise of seeds")
    assert got.prompt == pytest.approx(5.0, rel=0.2)  # 2² + 1²


def test_the_seeds_variance_includes_the_noise_of_a_single_view():
    got = variance_components(study(np.random.default_rng(3), prompts=400, views=1, sds=(2.0, 1.0, 1.0)))
    assert (got.view, got.reason) == (None, "one view per asset: the seeds' variance includes the noise of views")
    assert (got.prompt, got.seed) == pytest.approx((4.0, 2.0), rel=0.2)


def test_components_that_cannot_be_separated_are_none():
    rows = study(np.random.default_rng(4), prompts=2, seeds=2, views=2)
    none = variance_components(rows.assign(value=NAN))
    assert (none.prompt, none.seed, none.view, none.reason) == (None, None, None, "no view has a score")
    one = variance_components(rows[rows["prompt_id"] == 0])
    assert (one.prompt, one.reason) == (None, "one prompt")
    assert one.seed is not None
    single = variance_components(rows.iloc[:1])
    assert (single.prompt, single.seed, single.view) == (None, None, None)
    ties = variance_components(rows.assign(value=3.0))
    assert (ties.prompt, ties.seed, ties.view) == (0.0, 0.0, 0.0)
