"""The HTML templates; everything is escaped, and an undefined name is an error."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup


def template(name: str) -> Template:
    """Load the template in file ``name`` of this folder."""
    return _environment().get_template(name)


def page(name: str, *, scripts: Sequence[str], **context: object) -> str:
    """Render a whole page with the style sheet and the scripts of this folder.

    Its Content-Security-Policy allows these scripts and this style sheet by their hashes, images and frames from the
    page's own folder, and nothing else: no network, no script from the data.

    Args:
        name: Template that extends ``base.html.j2``.
        scripts: File names of the scripts, in their order.
        context: Variables of the template.
    """
    style, script = _source("page.css"), "".join(map(_source, scripts))
    policy = (
        "default-src 'none'; img-src 'self' file: data:; frame-src 'self' file:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )
    return template(name).render(
        policy=policy,
        style=Markup(style),  # noqa: S704, files of this package
        script=Markup(script),  # noqa: S704
        **context,
    )


def _source(name: str) -> str:
    return (resources.files(__name__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
