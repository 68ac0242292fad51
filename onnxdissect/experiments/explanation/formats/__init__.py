"""Explanations outside of memory: ``stored`` writes them, ``wording`` says them in a sentence.

Callers use what the room around names.
"""
