"""Encodings of space, one per file."""

from __future__ import annotations

from methods.registry import Registry
from methods.scenes.nerf.encodings.encoding import Encoding

encodings: Registry[type[Encoding]] = Registry("encoding", "methods.scenes.nerf.encodings", base=Encoding)
