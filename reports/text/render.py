"""Render texts, which are Jinja templates, with the numbers of studies."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from reports.frames import ReportError
from reports.read_data import read_data
from reports.render.printed import number
from reports.text import text_tables
from reports.text.difference import seen, signs, sizes
from reports.text.differences_table import differences_table
from reports.text.paragraphs import refill
from reports.text.study_numbers import StudyNumbers
from reports.text.words import TextError, holds, least_p, span, word

#: First line of every text that is made, so that nobody edits it.
MADE_BY = "<!-- Made from {source} by: python -m reports.text -->\n\n"


def render_text(template: Path, data: Path) -> str:
    """Render a template.

    In it ``study("rivals")`` is a ``StudyNumbers`` of the folder ``data/rivals``, and ``rows("inversion_error")`` the
    rows of the file ``data/inversion_error.csv``.

    Raises:
        TextError: If the template is not right, data are missing, or the text says what its data do not.
    """
    words: dict[str, Callable[..., Any]] = {
        "study": cache(lambda name: StudyNumbers(read_data(data / name))),
        "rows": lambda name: pd.read_csv(data / f"{name}.csv").to_dict("records"),
        "holds": holds,
        "least_p": lambda *differences: least_p(each.p_value for each in differences),
        "seen": seen,
        "signs": signs,
        "sizes": sizes,
        "span": span,
        "word": word,
        "number": number,
        "arms_table": text_tables.arms_table,
        "grouped_table": text_tables.grouped_table,
        "claims_table": text_tables.claims_table,
        "full_table": text_tables.full_table,
        "differences_table": differences_table,
    }
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],
        autoescape=False,  # noqa: S701  (Markdown)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(words)
    try:
        text = environment.get_template(template.name).render()
    except (TextError, ReportError, TemplateError) as error:
        raise TextError(f"{template.name}: {error}") from error
    except Exception as error:  # an expression of the template can raise anything
        raise TextError(f"{template.name}: {type(error).__name__}: {error}") from error
    return MADE_BY.format(source=f"{template.parent.name}/{template.name}") + refill(text)
