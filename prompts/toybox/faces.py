"""The face of each kind: the parts that only its front shows, and the same object without them.

A mushroom's face is its door and its window, a chair's the cushion that its back hides.  From directly behind, no part
of a face can be seen; within 45° of there a few per cent of one at most.
"""

from __future__ import annotations

from prompts.toybox.kinds import KINDS, Part

#: Indices into ``KINDS[kind]`` of the parts of each kind's face.
FACE_PARTS: dict[str, tuple[int, ...]] = {
    "car": (7, 8),  # lamps
    "house": (2, 3),  # door, window
    "robot": (2, 3, 4),  # eyes, mouth
    "duck": (2, 3, 4),  # beak, eyes
    "mug": (2,),  # emblem
    "snowman": (3, 4, 5, 6, 7, 8),  # nose, eyes, buttons
    "chair": (6,),  # cushion
    "rocket": (2, 3),  # porthole
    "mushroom": (2, 3),  # door, window
    "fish": (2, 3, 4, 5, 6),  # eyes, mouth
    "clock": (1, 2, 3),  # dial, hands
    "teapot": (1,),  # spout
}


def without_face(kind: str) -> tuple[Part, ...]:
    """Return the parts of ``kind`` without its face."""
    return tuple(part for index, part in enumerate(KINDS[kind]) if index not in FACE_PARTS[kind])
