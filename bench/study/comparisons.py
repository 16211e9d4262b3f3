"""The comparisons of arms that a study names: its baselines, and papers' claims."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from bench.study.paper_claim import PaperClaim

#: Keys of a study that name comparisons of several arms.
COMPARISONS = ("more_baselines", "paper_claims")


def check_comparisons(
    methods: Collection[str], baseline: str, more: Mapping[str, Sequence[str]], claims: Sequence[PaperClaim]
) -> None:
    """Check that a study has the arms that its comparisons name, and compares each arm with one other.

    Args:
        methods: Labels of the study's arms.
        baseline: Label of the arm that the others are compared with.
        more: Labels of the arms that are compared with another one, by that other one's label.
        claims: What papers say of the arms.

    Raises:
        ValueError: If a comparison names no arm of the study, or an arm is compared with itself or with two; the text
            starts with the key.
    """
    for where, label in _compared_arms(baseline, more, claims):
        if label not in methods:
            raise ValueError(f"{where}: not a method of the study, which has {', '.join(methods)}")
    seen = {baseline: "the baseline"}
    for other, arms in more.items():
        for arm in arms:
            if arm == other or arm in seen:
                fault = "is compared with itself" if arm == other else f"is {seen[arm]} already"
                raise ValueError(f"more_baselines.{other}: {arm!r} {fault}")
            seen[arm] = f"compared with {other}"


def _compared_arms(
    baseline: str, more: Mapping[str, Sequence[str]], claims: Sequence[PaperClaim]
) -> Iterator[tuple[str, str]]:
    """Give the arms that are compared, each behind the text that an error about it starts with."""
    yield f"baseline = {baseline!r}", baseline
    for other, arms in more.items():
        yield f"more_baselines.{other}", other
        for arm in arms:
            yield f"more_baselines.{other}: {arm!r}", arm
    for index, claim in enumerate(claims):
        yield f"paper_claims.{index}.arm = {claim.arm!r}", claim.arm
        yield f"paper_claims.{index}.against = {claim.against!r}", claim.against


def comparisons_among(fields: Mapping[str, Any], methods: Collection[str]) -> dict[str, Any]:
    """The comparisons in a study's fields (as a file has them) without those of arms that are not among ``methods``.

    Values that are no comparisons are kept, so that the study's validation names them.
    """
    found: dict[str, Any] = {name: fields[name] for name in COMPARISONS if name in fields}
    more, claims = found.get("more_baselines"), found.get("paper_claims")
    if isinstance(more, dict):
        kept = {other: _those_among(arms, methods) for other, arms in more.items() if other in methods}
        found["more_baselines"] = {other: arms for other, arms in kept.items() if arms}
    if isinstance(claims, list):
        found["paper_claims"] = [claim for claim in claims if not isinstance(claim, dict) or _claims(claim, methods)]
    return found


def _those_among(arms: Any, methods: Collection[str]) -> Any:
    return [arm for arm in arms if arm in methods] if isinstance(arms, list) else arms


def _claims(claim: dict[str, Any], methods: Collection[str]) -> bool:
    """Whether all arms of a claim are among ``methods``."""
    return {claim[key] for key in ("arm", "against") if isinstance(claim.get(key), str)} <= {*methods}
