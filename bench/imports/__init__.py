"""Renders that other programs left on disk, as images in memory.

A layout finds the objects in a folder (:class:`~bench.imports.asset.Asset`) and reads the images of each; ``matching``
says which prompt each object is of.  Nothing here guesses: what is not stated is refused or left out, with the reason.
"""
