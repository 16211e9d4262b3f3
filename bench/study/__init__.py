"""Study files, their settings, and the cells that they expand into."""
