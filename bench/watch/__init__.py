"""Observation of a running cell: divergence, time, memory, energy, and the machine."""
