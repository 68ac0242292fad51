"""The method of the paper: kernels, upsampling, thresholds, spool, counts and scores.

The stages of a run that call it are in `onnxdissect.pipeline`.
"""
