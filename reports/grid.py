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
LABELS: Final = 150  # width of the prompts' column
HEAD: Final = 48
INK, MUTED, PAPER, WARNING = "#1f1d1a", "#77716a", "#ffffff", "#b4532a"


def draw_grid(frames: ReportFrames) -> Image.Image:
    """Draw all prompts × (ground truth, if there is one, and methods), first seed, with the status of failed cells."""
    found = rings(frames)
    truth = any(key.startswith(GROUND_TRUTH) for key in found)
    headings = [*([GROUND_TRUTH] if truth else []), *frames.methods]
    pair = 2 * TILE + GAP + MARGIN
    image = Image.new(
        "RGB",
        (2 * MARGIN + LABELS + pair * len(headings), HEAD + MARGIN + (TILE + MARGIN) * len(frames.prompts)),
        PAPER,
    )
    draw = ImageDraw.Draw(image)
    cells = frames.cells.drop_duplicates(["method", "prompt_id"])
    outcome = {(row.method, row.prompt_id): (str(row.cell), str(row.status)) for row in cells.itertuples()}
    for column, heading in enumerate(headings):
        left = MARGIN + LABELS + pair * column
        draw.text((left, MARGIN - 6), heading, INK, _font(15, bold=True))
        for offset, words in enumerate(("front", "back")):
            draw.text((left + offset * (TILE + GAP), MARGIN + 13), words, MUTED, _font(11))
    for row, (prompt_id, text) in enumerate(frames.prompts.items()):
        top = HEAD + MARGIN // 2 + (TILE + MARGIN) * row
        lines = textwrap.wrap(text, 18, max_lines=5) or [prompt_id]
        draw.multiline_text((MARGIN, top + 4), "\n".join(lines), INK, _font(13), spacing=5)
        for column, heading in enumerate(headings):
            left = MARGIN + LABELS + pair * column
            key, status = outcome.get((heading, prompt_id), ("", "not run"))
            if heading == GROUND_TRUTH:
                key, status = GROUND_TRUTH + prompt_id, "completed"
            _draw_pair(image, draw, (left, top), found.get(key), "" if status == "completed" else status)
    return image


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
