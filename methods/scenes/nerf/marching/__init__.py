"""Samples along rays, which of them show, and the integral over them."""
