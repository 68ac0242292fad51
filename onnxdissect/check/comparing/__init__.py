"""A candidate beside its baseline.

``matching`` pairs the layers, ``comparison`` holds both to the same resamples, ``parity`` compares numbers.
"""
