"""What a machine has: backends, weights, and whether a cell run twice has the same bits."""
