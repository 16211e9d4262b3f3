"""One image of all results: a row per prompt, and front and back of the ground truth and of every method."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Final

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

from reports.frames import GROUND_TRUTH, ReportFrames
from reports.images import Ring, load, rings

TILE: Final = 112  # pixels
GAP: Final = 4
MARGIN: Final = 20
PAIR: Final = 2 * TILE + GAP + MARGIN
LABELS: Final = 150  # width of the first column
HEAD: Final = 48  # height of headings of one line
LINE: Final = 19  # height of a further line
HEADING: Final = 25  # letters of a heading in a line
INK, MUTED, PAPER, WARNING = "#1f1d1a", "#77716a", "#ffffff", "#b4532a"


def draw_grid(frames: ReportFrames) -> Image.Image:
    """Draw all prompts × (ground truth, if there is one, and methods), first seed, with the status of failed cells.

    Prompts go down and methods across, or the other way round if there are more methods: pages scroll down.
    """
    found = rings(frames)
    truth = any(key.startswith(GROUND_TRUTH) for key in found)
    methods = {name: name for name in [*([GROUND_TRUTH] if truth else []), *frames.methods]}
    prompts_go_down = len(frames.methods) <= len(frames.prompts)
    down, across = (frames.prompts, methods) if prompts_go_down else (methods, frames.prompts)
    head = HEAD + LINE * (max(len(_wrapped(text, HEADING)) for text in across.values()) - 1)
    image = Image.new(
        "RGB", (2 * MARGIN + LABELS + PAIR * len(across), head + MARGIN + (TILE + MARGIN) * len(down)), PAPER
    )
    draw = ImageDraw.Draw(image)
    cells = frames.cells.drop_duplicates(["method", "prompt_id"])
    outcome = {(row.method, row.prompt_id): (str(row.cell), str(row.status)) for row in cells.itertuples()}
    for column, text in enumerate(across.values()):
        left = MARGIN + LABELS + PAIR * column
        lines = "\n".join(_wrapped(text, HEADING))
        draw.multiline_text((left, MARGIN - 6), lines, INK, _font(15, bold=True), spacing=4)
        for offset, words in enumerate(("front", "back")):
            draw.text((left + offset * (TILE + GAP), head - MARGIN + 5), words, MUTED, _font(11))
    for row, (down_key, text) in enumerate(down.items()):
        top = head + MARGIN // 2 + (TILE + MARGIN) * row
        lines = "\n".join(_wrapped(text, 18) or [down_key])
        draw.multiline_text((MARGIN, top + 4), lines, INK, _font(13, bold=not prompts_go_down), spacing=5)
        for column, across_key in enumerate(across):
            left = MARGIN + LABELS + PAIR * column
            method, prompt_id = (across_key, down_key) if prompts_go_down else (down_key, across_key)
            key, status = outcome.get((method, prompt_id), ("", "not run"))
            if method == GROUND_TRUTH:
                key, status = GROUND_TRUTH + prompt_id, "completed"
            _draw_pair(image, draw, (left, top), found.get(key), "" if status == "completed" else status)
    return image


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, max_lines=5)


def _draw_pair(
    image: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int], views: Ring | None, status: str
) -> None:
    left, top = corner
    for offset, azimuth in enumerate((0.0, 180.0)):
        place = (left + offset * (TILE + GAP), top)
        if views is not None:
            tile = load(views.rgb[views.nearest(azimuth)], TILE)
            image.paste(tile.resize((TILE, TILE), Image.Resampling.BICUBIC), place)
        draw.rectangle((*place, place[0] + TILE - 1, place[1] + TILE - 1), outline="#e4e0d8")
    if status:
        draw.text((left + 8, top + TILE - 22), status, WARNING, _font(13, bold=True))


def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load DejaVu from matplotlib's data: the same pixels on every machine, and most scripts."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, size)
