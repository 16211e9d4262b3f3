"""The run of one cell: from its settings through the optimisation loop to its outcome."""
