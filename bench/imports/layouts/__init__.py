"""Layouts of folders with renders, one per file."""

from __future__ import annotations

from bench.imports.layout import Layout
from methods.registry import Registry

#: Every layout by name.
layouts: Registry[type[Layout]] = Registry("layout of renders", "bench.imports.layouts", base=Layout)
