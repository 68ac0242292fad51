"""Running a network: sessions, execution providers, and proof that what they compute is right.

``session`` runs the graph cut off after the asked-for layers; ``verification`` compares it with the untouched
one; ``providers`` says what there is. Callers use `open_session` of `onnxdissect.model`.
"""
