"""Predictions without units: ``measuring`` makes them for all images, chunk by chunk.

``removal`` makes those of a chunk through the tail alone, ``activations`` keeps what the head gave, and
``work`` what is done, so that an ablation that is killed goes on.
"""
