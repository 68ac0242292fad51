"""Explanations outside of memory.

``stored`` writes them, ``loading`` reads them back by the rules of ``schema``, ``wording`` says them in a
sentence.

Callers use what the room around names.
"""
