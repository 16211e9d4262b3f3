"""Make the texts about the published studies again: ``python -m reports.text``."""

from __future__ import annotations

import sys
from pathlib import Path

from reports.text.render import render_text
from reports.text.words import TextError

RESULTS = Path(__file__).parent.parent / "results"


def main() -> int:
    """Render every template of ``reports/results/texts`` to ``reports/results``; return the exit status."""
    status = 0
    for template in sorted((RESULTS / "texts").glob("*.md.j2")):
        made = RESULTS / template.name.removesuffix(".j2")
        try:
            text = render_text(template, RESULTS / "data")
        except TextError as error:
            sys.stderr.write(f"{error}\n")
            status = 2
            continue
        if not made.is_file() or made.read_text(encoding="utf-8") != text:
            made.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{made.name}: written\n")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
