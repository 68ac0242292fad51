"""*fitted*, the paper's own way: scores of a linear classifier of a layer's units, pooled.

``features`` pools the layer over labelled images, ``classifier`` is fitted to them, ``explainer`` says what
made its scores.
"""
