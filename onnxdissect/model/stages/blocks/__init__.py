"""Blocks: which value of each block of a trunk is its output.

``blocks`` finds what a block hands to the next, ``last_block`` what the last one hands out; ``activated``
tells values behind a nonlinearity, ``power_mean`` those that are raised to a power only to be averaged.
"""
