"""The part of a study's prompts that its prior and its scorers read, for lines before a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from bench.formatting import some_of
from bench.study.arms import arms_of
from bench.study.prompt_texts import prompt_tokens_cut
from bench.study.scorers import study_suite
from bench.study.settings import ViewPrompts
from bench.study.study import Study
from methods.priors.loading import prompt_reader
from metrics import ReadsText, metrics
from metrics.suites import Role
from reports.frames import listed


def describe_reading(study: Study) -> Iterator[str]:
    """Yield a line on prompts that a prior's text encoder cuts, and one on words that it does not know, for each prior.

    Nothing of this is yielded for a prior without a tokenizer.  A further line names arms whose prompts have view
    words, although their scene has no sides.

    Raises:
        InputError: If a name or a value of the study is wrong.
        WeightsMissingError: If the prior's weights have not been fetched.
        WeightsError: If its tokenizer cannot be read.
    """
    arms: dict[str, list[Study]] = {}
    flat = []
    for label, arm in arms_of(study).items():
        arms.setdefault(arm.study.prior.name, []).append(arm.study)
        if not arm.scene.has_sides and arm.study.view_prompts != "none":
            flat.append(label)
    if flat:
        yield f'the scene of {listed(flat, "and")} has no sides, and its prompts name them; set view_prompts = "none"'
    for name, own in arms.items():
        yield from _describe_reading(study, name, {each.view_prompts for each in own})


def _describe_reading(study: Study, name: str, view_prompts: Collection[ViewPrompts]) -> Iterator[str]:
    reader = prompt_reader(name)
    if reader is None:
        return
    prompts = study.chosen_prompts()
    cut = {prompt.id: max(prompt_tokens_cut(reader, prompt.text, each) for each in view_prompts) for prompt in prompts}
    if line := describe_cuts(cut):
        yield f"{line}; the prior {name} reads {reader.length} tokens"
    unknown = [words for prompt in prompts if (words := reader.unknown_words(prompt.text))]
    if unknown:
        distinct = list(dict.fromkeys(word for words in unknown for word in words))
        yield (
            f"{len(distinct)} words in {len(unknown)} of {len(prompts)} prompts are unknown to the prior "
            f"{name}, which reads them letter by letter: {some_of(distinct)}"
        )


def describe_scorers(study: Study) -> Iterator[str]:
    """Yield a line for each model of the suite that does not read some prompts to their end, with its columns.

    Raises:
        InputError: If a name or a value of the study is wrong.
        WeightsMissingError: If the suite lacks a model that one of the metrics needs.
        WeightsError: If a model's tokenizer cannot be read.
    """
    from metrics.models.text_limits import text_reader  # imports open_clip, which takes a second

    suite, prompts = study_suite(study), study.chosen_prompts()
    columns: dict[Role, list[str]] = {}
    for name in study.metrics:
        metric = metrics[name]
        if metric.role is not None and isinstance(metric, ReadsText):
            columns.setdefault(metric.role, []).extend(column.title for column in metric.columns)
    for role, titles in columns.items():
        reader = text_reader(suite.folder(role))
        cut = [prompt.id for prompt in prompts if reader.tokens_cut(prompt.text)]
        if cut:
            yield (
                f"{len(cut)} of {len(prompts)} prompts are too long for the text encoder of {listed(titles, 'and')}, "
                f"which reads {reader.length} tokens and not their end: {some_of(cut)}"
            )


def describe_cuts(cut: Mapping[str, int]) -> str:
    """Describe the prompts that are cut.

    Args:
        cut: Tokens that are left out, by prompt id.

    Returns:
        One sentence without a full stop; "" if all prompts fit.
    """
    shortened = [prompt_id for prompt_id, tokens in cut.items() if tokens]
    if not shortened:
        return ""
    return (
        f"{len(shortened)} of {len(cut)} prompts are too long for the prior's text encoder and lose up to "
        f"{max(cut.values())} tokens at their end (view words are kept): {some_of(shortened)}"
    )
