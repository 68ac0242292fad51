"""Masks of all images, where a run keeps what makes them: the file ``masks.npz`` of a layer.

``layout`` says how it is cut and what is in it, ``archive`` writes and reads it chunk by chunk, and ``kept``
makes masks of it; a caller needs `onnxdissect.results.masks.kept.KeptMasks`.
"""
