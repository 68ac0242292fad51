"""Ablations outside of memory: ``stored`` writes and reads them, ``schema`` bounds what is read.

``folder`` says which files are theirs, ``wording`` says results in sentences. Callers use what the room
around names.
"""
