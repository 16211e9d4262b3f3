"""Checks of one prior on one machine: whether its numbers can be right here, and what a step costs."""
