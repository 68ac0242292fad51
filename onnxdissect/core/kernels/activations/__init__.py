"""Kernels of the pass, which see activations batch by batch.

``encode`` keeps the cells that can still exceed a threshold, ``keep`` finds them in one map, ``refilter``
drops those that no longer can; ``rank`` counts activations for the thresholds, ``top`` keeps the strongest
images.
"""
