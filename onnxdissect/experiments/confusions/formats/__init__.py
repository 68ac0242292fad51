"""Explained predictions of labelled images outside of memory: ``stored`` writes them, ``wording`` says them.

Callers use what the room around names.
"""
