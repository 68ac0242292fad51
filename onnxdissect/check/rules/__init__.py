"""The rules of a check: what each asks for, how it is configured, and what it finds.

``entries`` has a file for each, ``rules`` their order; ``config`` holds settings, ``config_file`` reads
``onnxdissect.toml``, ``init`` writes a first one; ``findings`` and ``wording`` make findings and their
sentences.
"""
