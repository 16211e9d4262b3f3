"""A small world where text-to-3D has a right answer: captioned objects, rendered from any camera."""

from prompts.toybox.captions import BAD_WORDS, GOOD_WORDS, VIEWS, caption, with_article
from prompts.toybox.degradations import DEGRADATIONS
from prompts.toybox.faces import FACE_PARTS, without_face
from prompts.toybox.kinds import KINDS
from prompts.toybox.objects import COLOURS, PATTERNS, ToyObject, all_objects, is_held_out
from prompts.toybox.renderer import Surface, ToyRendering, develop, render_object, trace
from prompts.toybox.tokenizer import CONTEXT_LENGTH, write_clip_tokenizer

__all__ = [
    "BAD_WORDS",
    "COLOURS",
    "CONTEXT_LENGTH",
    "DEGRADATIONS",
    "FACE_PARTS",
    "GOOD_WORDS",
    "KINDS",
    "PATTERNS",
    "VIEWS",
    "Surface",
    "ToyObject",
    "ToyRendering",
    "all_objects",
    "caption",
    "develop",
    "is_held_out",
    "render_object",
    "trace",
    "with_article",
    "without_face",
    "write_clip_tokenizer",
]
