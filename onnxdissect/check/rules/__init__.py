"""The rules of a check: what each asks for, how it is configured, and what it finds.

``rules`` holds them, ``config`` reads ``onnxdissect.toml``, ``descriptions`` says what each means,
``init`` writes a first file of rules, ``findings`` and ``wording`` make findings and their sentences.
"""
