"""Scripts that train the toybox's models; each writes a folder of weights with its card."""
