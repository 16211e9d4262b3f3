"""What is noted of a cell on the way: divergence, time, memory, energy, and where it runs."""
