"""Measurements on given images, without an optimisation; each file is a program."""
