"""Runs side by side: layers, networks, checkpoints, quantiles, bases (arXiv 1711.05611, sections 4.3 to 4.6).

``records`` and ``result`` are what is found.
"""
