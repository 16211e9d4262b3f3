"""How one cell is done: the optimisation loop, from its settings to its outcome."""
