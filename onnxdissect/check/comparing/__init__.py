"""A candidate beside its baseline.

``matching`` pairs the layers, ``comparison`` and ``paired`` resample both alike, ``parity`` compares numbers.
"""
