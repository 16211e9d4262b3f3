"""Texts about studies, whose numbers and tables are computed from the data of their reports."""
