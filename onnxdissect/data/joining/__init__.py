"""Several data sets joined into one vocabulary, as Broden itself was made.

``sources`` opens them; ``names``, ``synonyms`` and ``uniting`` decide which of their concepts are one;
``counting`` reads all images once, ``numbering`` drops what is rare, ``writing`` writes. Callers use
`join_datasets` and `JoinOptions` of `onnxdissect.data`.
"""
