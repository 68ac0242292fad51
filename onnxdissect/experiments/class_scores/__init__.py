"""The class scores of a network, computed from a layer of a run: what explaining and ablating both stand on.

``scored_layer`` finds and opens it, ``run_layer`` and ``target`` say where and of what, ``picture`` and
``labelled`` read images, ``variants`` scores changed activations through the tail alone.
"""
