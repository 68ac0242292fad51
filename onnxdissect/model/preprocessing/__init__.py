"""From decoded pixels to the network's input.

``image_input`` finds the input, ``embedded`` reads off what the graph does itself, ``choice`` decides and
says why, ``preparer`` does it. Callers use `choose_preprocessing` and `Preparer` of `onnxdissect.model`.
"""
