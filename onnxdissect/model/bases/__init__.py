"""Bases: matrices for the channels of a layer, drawn at random, fitted to activations, or read from a file.

``basis`` holds `Basis`, ``spec`` reads what a command line asks for. ``draws`` makes random matrices,
``planes`` fractional powers of rotations, ``moments`` gathers mean and covariance and ``components`` makes
principal components of them; ``files`` reads matrices that others have saved, ``kept`` those that a run
keeps; ``blas_threads`` keeps linear algebra in one thread. Nothing here knows ONNX.
"""
