"""Printed tables of papers with their sources, one per file, to be compared with measured ones."""

from reports.published.published_table import PublishedFigure, PublishedRow, PublishedTable, load_published

__all__ = ["PublishedFigure", "PublishedRow", "PublishedTable", "load_published"]
