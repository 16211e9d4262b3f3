"""The silhouette of a mesh, by a way of its own."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from methods.cameras import Cameras


def silhouette(vertices: np.ndarray, faces: np.ndarray, cameras: Cameras, index: int, side: int) -> np.ndarray:
    """The pixels that a pin-hole camera sees the triangles in, by projection (not by rays, as the scene does)."""
    position, target = cameras.positions[index].numpy(), cameras.target[index].numpy()
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    offset = vertices - position
    depth = offset @ forward * math.tan(math.radians(float(cameras.fovy_deg[index])) / 2)
    x = (offset @ right / depth + 1) / 2 * side
    y = (1 - offset @ np.cross(right, forward) / depth) / 2 * side
    image = Image.new("1", (4 * side, 4 * side))
    draw = ImageDraw.Draw(image)
    for face in faces:
        draw.polygon([(4 * x[corner], 4 * y[corner]) for corner in face], fill=1)
    return np.asarray(image)[2::4, 2::4]
