"""Priors whose noise is known in closed form."""
