"""Triton kernels.  Importing a module of this package imports Triton, which exists for Linux only."""
