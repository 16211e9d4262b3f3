"""The prompts, the prior and the inputs of a study: found, kept with a run, and compared by content, not by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import zip_longest

from bench.errors import InputError
from bench.study.cell import Cell
from bench.study.inputs import input_hashes, other_files
from bench.study.naming import named_in
from bench.study.pinned import Pinned, PinnedPrior
from bench.study.study import Study
from methods.contracts import Prior
from methods.priors.loading import cached_prior, expected_card, known_prior, prior_sha256
from methods.priors.pipeline.card import PriorCard
from methods.priors.pipeline.unloaded import UnloadedPrior
from methods.weights import WeightsMissingError

#: What a prior's card says.
_Facts = Prior | UnloadedPrior | PriorCard


def pin(study: Study) -> Study:
    """The study with its prompts and its prior's card, as its run folder keeps them; itself if it has them already.

    Raises:
        UnknownNameError: If there is no such prior.
        WeightsError: If the prior's weights are missing or differ from those that its card names.
        PromptSetError: If there is no such prompt set.
        InputError: If a file or a record that a scene starts from is missing.
    """
    if study.pinned is not None:
        inputs = study.pinned.inputs | input_hashes(study)
        if inputs == study.pinned.inputs:
            return study
        return study.model_copy(update={"pinned": study.pinned.model_copy(update={"inputs": inputs})})
    own = {label: _known(arm) for label, arm in study.with_own_priors().items()}
    return _pinned(study, _known(study), own)


def pin_expected(study: Study) -> Study:
    """The study with its prompts and the cards that its priors will have whose weights have not been fetched yet.

    Its cells are those of the study but for their identity, which takes the weights' hash.

    Raises:
        UnknownNameError: If there is no such prior.
        WeightsMissingError: If the prior's weights are missing, and its card cannot be known without them.
        PromptSetError: If there is no such prompt set.
    """
    if study.pinned is not None:
        return study
    return _pinned(study, _expected(study), {label: _expected(arm) for label, arm in study.with_own_priors().items()})


def _known(study: Study) -> Prior | UnloadedPrior:
    with named_in(study, "prior"):
        return known_prior(*study.prior.arguments)


def _expected(study: Study) -> Prior | UnloadedPrior | PriorCard:
    try:
        return _known(study)
    except WeightsMissingError:
        return expected_card(study.prior.name)


def _pinned(study: Study, prior: _Facts, arm_priors: Mapping[str, _Facts]) -> Study:
    pinned = Pinned(
        prompt_set=study.prompt_set().model_dump(mode="json"),
        prior=_pinned_prior(prior),
        arm_priors={label: _pinned_prior(own) for label, own in arm_priors.items()},
        inputs=input_hashes(study),
    )
    return study.model_copy(update={"pinned": pinned})


def _pinned_prior(prior: _Facts) -> PinnedPrior:
    return PinnedPrior(**{name: getattr(prior, name) for name in PinnedPrior.model_fields})


def study_prior(study: Study) -> Prior | UnloadedPrior:
    """The study's prior as far as the cells' identity needs it: from the run folder, or else from its weights here.

    Raises:
        UnknownNameError: If there is no such prior.
        WeightsError: If its weights are missing or differ from those that its card names.
    """
    if study.pinned is None:
        return _known(study)
    return UnloadedPrior(PriorCard(**study.pinned.prior.model_dump()), partial(loaded_prior, study))


def loaded_prior(study: Study) -> Prior:
    """The study's own prior with its networks, loaded once per process.

    Raises:
        InputError: If its weights are not those that the run was started with.
        UnknownNameError: If there is no such prior.
        WeightsError: If its weights are missing or differ from those that its card names.
    """
    prior = cached_prior(*study.prior.arguments)
    _check(study, prior.weights_sha256)
    return prior


def cell_prior(study: Study, cell: Cell) -> Prior:
    """The prior of a cell of the study with its networks; raises what :func:`loaded_prior` does."""
    return loaded_prior(study if cell.prior == study.prior else study.of_arm(cell.label))


def check_prior(study: Study) -> None:
    """Check, without loading them, that the priors are here with the weights that the run was started with.

    Raises:
        InputError: If the weights of one are others.
        UnknownNameError: If there is no such prior.
        WeightsError: If the weights of one are missing or differ from those that its card names.
    """
    for each in study.by_prior():
        if each.pinned is not None:
            _check(each, prior_sha256(each.prior.name))


def _check(study: Study, found: str) -> None:
    if study.pinned is not None and found != study.pinned.prior.weights_sha256:
        raise InputError(
            f"prior = {study.prior.name!r}: its weights have SHA-256 {found:.12}, and the run was started with "
            f"{study.pinned.prior.weights_sha256:.12}; restore those, or give another run folder with --out"
        )


def other_inputs(first: Study, second: Study) -> list[str]:
    """Describe how the prompts, the prior and the scenes' inputs of two studies differ, by content and not by name.

    Raises:
        UnknownNameError: If one of them is not pinned, and there is no such prior.
        WeightsError: If the weights of one that is not pinned are needed and missing.
        PromptSetError: If the prompt set of one that is not pinned is needed and missing.
    """
    arms, others = first.with_own_priors(), second.with_own_priors()
    own = [line for label in arms.keys() & others.keys() for line in _other_prior(arms[label], others[label])]
    priors = dict.fromkeys([*_other_prior(first, second), *sorted(own)])
    return [*_other_prompts(first, second), *priors, *other_files(first, second)]


def _other_prompts(first: Study, second: Study) -> list[str]:
    if first.pinned is second.pinned is None and first.prompts == second.prompts:
        return []
    sets = [study.prompt_set().prompts for study in (first, second)]
    for one, other in zip_longest(*sets):
        if one != other:
            texts = [repr(prompt.text) if prompt else "none" for prompt in (one, other)]
            what = "its truth" if one and other and one.text == other.text else f"{texts[0]} and {texts[1]}"
            same = first.prompts == second.prompts
            names = f"{first.prompts} has changed" if same else f"{first.prompts} and {second.prompts} differ"
            return [f"prompts ({names}, first in {what})"]
    return []


def _other_prior(first: Study, second: Study) -> list[str]:
    """Weights that are not pinned are hashed only for names that differ: a run hashes its own in any case."""
    if None in (first.pinned, second.pinned) and first.prior.name == second.prior.name:
        return []
    sha256 = [s.pinned.prior.weights_sha256 if s.pinned else prior_sha256(s.prior.name) for s in (first, second)]
    if sha256[0] == sha256[1]:
        return []
    pairs = zip((first, second), sha256, strict=True)
    words = " and ".join(f"{study.prior.name} with SHA-256 {sha:.12}" for study, sha in pairs)
    return [f"weights of the prior ({words})"]
