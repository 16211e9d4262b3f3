"""Figures that papers print, each file a table with its source, to be set beside measured ones."""

from reports.published.published_table import PublishedFigure, PublishedRow, PublishedTable, load_published

__all__ = ["PublishedFigure", "PublishedRow", "PublishedTable", "load_published"]
