"""Lines of one width in Markdown, whatever lengths its numbers have."""

from __future__ import annotations

import re
import textwrap
from typing import Final

WIDTH: Final = 120
#: Beginnings of blocks whose lines mean something: headings, tables, quotes, HTML, images and code.
_AS_IT_IS: Final = ("#", "|", ">", "<", "![", "```", "    ")
_ITEM: Final = re.compile(r"^(?:- |\d+\. )")


def refill(markdown: str) -> str:
    """Fill paragraphs and list items to ``WIDTH`` columns; other blocks stay as they are."""
    blocks = re.split(r"\n\s*\n", markdown.strip("\n"))
    return "\n\n".join(_refill_block(block) for block in blocks) + "\n"


def _refill_block(block: str) -> str:
    if block.startswith(_AS_IT_IS):
        return block
    paragraphs: list[list[str]] = []
    for line in block.splitlines():
        if not paragraphs or _ITEM.match(line):
            paragraphs.append([])
        paragraphs[-1].append(line)
    return "\n".join(_fill(" ".join(" ".join(lines).split())) for lines in paragraphs)


def _fill(paragraph: str) -> str:
    item = _ITEM.match(paragraph)
    indent = " " * len(item.group()) if item else ""
    return textwrap.fill(paragraph, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
