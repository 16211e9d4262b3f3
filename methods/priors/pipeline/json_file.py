"""JSON objects in the files of pipelines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from methods.weights import WeightsError
from methods.weights_file import check_file


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        WeightsError: If the file does not hold one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if path.is_file():
            check_file(path)  # says what it is instead
        raise WeightsError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: is not a JSON object")
    return content
