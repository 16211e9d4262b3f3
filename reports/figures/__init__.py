"""Drawings: one file each, all in one style."""
