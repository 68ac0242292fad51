"""What of rotations is kept in a run directory: ``rotation.json`` and ``rotation.csv``.

``stored`` writes and reads them, ``table`` has the columns; ``schema`` bounds every field that is read, and
``agreement`` compares it with the run.
"""
