"""Priors that are folders of weights in the layout of diffusers' pipelines."""
