"""Several data sets joined into one vocabulary, as Broden itself was made.

``sources`` opens them; the room ``vocabulary`` decides which of their concepts are one; ``counting`` reads
all images once, ``writing`` again. Callers use `join_datasets` and `JoinOptions` of `onnxdissect.data`.
"""
