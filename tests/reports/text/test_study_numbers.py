import numpy as np
import pytest
from scipy import stats

from reports.frames import ReportError
from reports.text.difference import seen, signs, sizes
from reports.text.words import TextError


def assets(numbers, arm, metric):
    """Means of an arm's assets by prompt, from the frames."""
    scores = numbers.data.frames.scores
    cells = numbers.data.frames.cells.set_index("cell")["status"]
    rows = scores[(scores["method"] == arm) & (scores["metric"] == metric) & (scores["cell"].map(cells) == "completed")]
    return rows.groupby("prompt_id", sort=False)["value"].mean()


def test_means_and_ranges(numbers):
    expected = [assets(numbers, arm, "clip_score").mean() for arm in ("sds", "sdi")]
    assert numbers.values("clip_score", "sds sdi") == pytest.approx(expected)
    assert numbers.mean("clip_score", "sds sdi") == f"{expected[0]:.2f}, {expected[1]:.2f}"
    assert numbers.mean("clip_score:0", ["sds"]) == f"{expected[0]:.0f}"
    assert numbers.range("clip_score:1", "sds sdi") == f"{min(expected):.1f} to {max(expected):.1f}"
    assert numbers.n("clip_score", "csd") == 7
    assert numbers.prompt("clip_score", "sds", "p3") == pytest.approx(assets(numbers, "sds", "clip_score")["p3"])


def test_a_ratio_has_its_geometric_mean(numbers):
    assert numbers.value("sharpness", "sds") == pytest.approx(stats.gmean(assets(numbers, "sds", "sharpness")))


def test_facts_of_the_study(numbers):
    assert (numbers.cells, numbers.prompts, numbers.diverged) == (24, 8, 1)
    assert numbers.cost("unet_rows", "sds") == 400


def test_arms_in_order(numbers):
    ordered = numbers.highest("clip_score")
    assert sorted(ordered) == ["csd", "sdi", "sds"]
    assert numbers.values("clip_score", ordered) == sorted(numbers.values("clip_score", numbers.arms), reverse=True)
    bound = numbers.value("clip_score", "sds")
    assert numbers.above("clip_score", bound, "sds csd") == ["csd"]


def test_a_control(numbers):
    controls = numbers.data.frames.controls
    rows = controls[(controls["control"] == "noise") & (controls["metric"] == "quality")]
    assert numbers.control_value("quality", "noise") == pytest.approx(rows["value"].mean())
    assert numbers.control("quality:0", "noise") == f"{rows['value'].mean():.0f}"


def test_a_difference_is_of_the_prompts_that_both_have(numbers):
    found = numbers.difference("clip_score", "csd", "sds")
    assert found.value == pytest.approx(2.3)
    assert found.comparison.difference.n == 7
    mine, theirs = assets(numbers, "sdi", "clip_score"), assets(numbers, "sds", "clip_score")
    differences = (mine - theirs).to_numpy()
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", alternative="two-sided", n_resamples=10**4
    )
    found = numbers.difference("clip_score", "sdi", "sds")
    assert found.value == pytest.approx(differences.mean())
    assert found.p_value == pytest.approx(expected.pvalue)
    assert numbers.wins("clip_score", "sdi", "sds") == (differences > 0).sum()


def test_differences_are_compared(numbers):
    """One prompt of ``csd`` diverged; what is subtracted twice cancels."""
    csd, sds, sdi = (assets(numbers, arm, "clip_score") for arm in ("csd", "sds", "sdi"))
    expected = ((csd - sds) - (sdi - sds)).dropna()
    found = numbers.difference_of_differences("clip_score:1", ("csd", "sds"), ("sdi", "sds"))
    assert found.value == pytest.approx(expected.mean())
    assert found.comparison.difference.n == len(expected) == 7
    alone = numbers.difference("clip_score:1", "csd", "sdi")
    assert found.p == alone.p
    assert found.signed == alone.signed
    assert found.what == "clip_score:1, (csd − sds) − (sdi − sds)"


def test_of_a_score_with_a_target_differences_of_distances_are_compared(numbers):
    csd, sds, sdi = (np.abs(np.log2(assets(numbers, arm, "sharpness") / 30)) for arm in ("csd", "sds", "sdi"))
    found = numbers.difference_of_differences("sharpness", ("sdi", "sds"), ("csd", "sdi"))
    assert found.value == pytest.approx(((sdi - sds) - (csd - sdi)).mean())
    assert not found.is_distance
    assert found.decimals == 2


def test_prompts_on_which_an_arm_is_above_a_control(numbers):
    controls = numbers.data.frames.controls
    rows = controls[(controls["control"] == "noise") & (controls["metric"] == "quality")]
    bounds = rows.groupby("prompt_id")["value"].mean()
    expected = (assets(numbers, "sds", "quality") > bounds).sum()
    assert numbers.prompts_above("quality", "sds", "noise") == expected


def test_a_family_corrects_p(numbers):
    alone = [numbers.difference("clip_score", arm, "sds").p_value for arm in ("sdi", "csd")]
    found = numbers.difference("clip_score", "csd", "sds", family="sdi csd")
    assert found.p_value == pytest.approx(min(1, 2 * alone[1]) if alone[1] < alone[0] else max(2 * alone[0], alone[1]))


def test_of_a_score_with_a_target_the_distances_are_compared(numbers):
    mine, theirs = (np.abs(np.log2(assets(numbers, arm, "sharpness") / 30)) for arm in ("sdi", "sds"))
    found = numbers.difference("sharpness", "sdi", "sds")
    assert found.value == pytest.approx((mine - theirs).mean())
    assert found.is_distance
    assert found.decimals == 2


def test_kendalls_tau(numbers):
    assert numbers.tau("clip_score", "sds sdi csd", "sds sdi csd") == pytest.approx(1)


def test_a_prompt_can_be_left_out(numbers):
    rest = numbers.without("p0")
    assert (rest.cells, rest.prompts) == (21, 7)
    expected = assets(numbers, "sds", "clip_score").drop("p0").mean()
    assert rest.value("clip_score", "sds") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda numbers: numbers.mean("colour", "sds"), "'colour' is not a score"),
        (lambda numbers: numbers.mean("clip_score", "vsd"), "method 'vsd' is not one of"),
        (lambda numbers: numbers.prompt("clip_score", "sds", "mug"), "'mug' is not a prompt"),
        (lambda numbers: numbers.without("mug"), "'mug' is not a prompt"),
        (lambda numbers: numbers.control("quality", "flat"), "flat has no value"),
        (lambda numbers: numbers.prompt("clip_score", "csd", "p7"), "csd on p7 has no value"),
        (lambda numbers: numbers.tau("quality", "sds", "sds sdi"), "two lists of the same length, not 1 and 2"),
        (lambda numbers: numbers.cost("minutes", "sds"), "'minutes' is not a column"),
        (lambda numbers: numbers.cost("reserved_bytes", "sds"), "reserved_bytes of sds has no value"),
        (lambda numbers: numbers.prompts_above("quality", "sds", "flat"), "flat has no value"),
    ],
)
def test_what_does_not_exist_is_refused(numbers, ask, reason):
    with pytest.raises((TextError, ReportError), match=reason):
        ask(numbers)


def test_several_pairs_at_once(numbers):
    found = numbers.differences("clip_score", {"up": ("csd", "sds"), "down": ("sds", "csd")})
    assert {name: each.value for name, each in found.items()} == pytest.approx({"up": 2.3, "down": -2.3})
    assert sorted(seen(found)) == ["down", "up"]
    assert signs(found) == [-1, 1]
    assert sizes(found) == pytest.approx([2.3, 2.3])
    assert seen(numbers.differences("quality", {"same": ("sdi", "sds")})) == []


def test_verdicts_are_those_of_the_report(numbers):
    """``csd`` is above ``sds`` on all seven prompts that both have: p is 2 / 2⁷, and twice that for two arms."""
    assert numbers.judged("clip_score", "better") == ["csd"]
    assert numbers.judged("clip_score", "worse", "csd sdi") == []
    with pytest.raises(TextError, match="compared with no baseline"):
        numbers.judged("clip_score", "better", "sds")


def test_costs_are_compared_by_prompt(numbers):
    cells = numbers.data.frames.cells
    seconds = cells[cells["status"] == "completed"].pivot_table(index="prompt_id", columns="method", values="seconds")
    expected = stats.gmean((seconds["csd"] / seconds["sds"]).dropna())
    assert numbers.cost_ratio("seconds", "csd", "sds") == pytest.approx(expected)


def test_differences_of_the_prompts(numbers):
    mine, theirs = assets(numbers, "sdi", "clip_score"), assets(numbers, "sds", "clip_score")
    assert numbers.paired("clip_score", "sdi", "sds") == pytest.approx((mine - theirs).to_numpy())
    assert numbers.each_difference("clip_score:1", "csd", "sds") == "+2.0, +2.1, +2.2, +2.3, +2.4, +2.5 and +2.6"
    octaves = [np.abs(np.log2(assets(numbers, arm, "sharpness") / 30)) for arm in ("sdi", "sds")]
    assert numbers.paired("sharpness", "sdi", "sds") == pytest.approx((octaves[0] - octaves[1]).to_numpy())


def test_prompts_that_decide_are_named_in_a_score_that_others_lack(numbers):
    """``csd`` has seven prompts that agree: no one decides."""
    assert numbers.decided_by("clip_score", "csd", "sds") == []
    six = numbers.without("p0")
    assert six.decided_by("clip_score", "csd", "sds") == [f"p{index}" for index in range(1, 7)]


def test_the_study_on_the_prompts_of_another(numbers):
    fewer = numbers.without("p3")
    assert fewer.prompts == 7
    same = numbers.on_prompts_of(fewer)
    assert same.value("clip_score", "sds") == fewer.value("clip_score", "sds")
    assert same.control_value("quality", "noise") == fewer.control_value("quality", "noise")
    with pytest.raises(TextError, match="p3"):
        fewer.on_prompts_of(numbers)


def test_the_study_with_one_seed(numbers):
    seed = int(numbers.data.frames.cells["seed"].iloc[0])
    assert numbers.of_seed(seed).value("clip_score", "sds") == numbers.value("clip_score", "sds")
    assert numbers.of_seed(seed).tau("clip_score", numbers.arms, numbers.arms, numbers.without("p3")) == pytest.approx(
        stats.kendalltau(
            numbers.values("clip_score", numbers.arms), numbers.without("p3").values("clip_score", numbers.arms)
        ).statistic
    )
    with pytest.raises(TextError, match="99 is not a seed"):
        numbers.of_seed(99)


def test_a_direction_is_one_of_all_prompts_and_of_printed_digits(numbers):
    some = numbers.without("p7")
    assert some.direction("clip_score", "csd", "sds") == "better"
    assert some.direction("clip_score", "sds", "csd") == "worse"
    assert some.direction("clip_score", "sds", "sds") == ""
    assert some.direction("quality", "sdi", "sds") == ""
    with pytest.raises(TextError, match="csd on p7"):
        numbers.direction("clip_score", "csd", "sds")


def test_a_direction_towards_a_target_is_better(numbers):
    one = numbers
    for prompt in ("p1", "p2", "p3", "p4", "p5", "p6", "p7"):
        one = one.without(prompt)
    off = [abs(np.log2(one.prompt("sharpness", arm, "p0") / 30)) for arm in ("sdi", "sds")]
    assert one.direction("sharpness:3", "sdi", "sds") == ("better" if off[0] < off[1] else "worse")
    assert one.each("sharpness:3", "sdi") == f"{one.prompt('sharpness', 'sdi', 'p0'):.3f}"
