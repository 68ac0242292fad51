"""What a check compares with: a snapshot of a run, small enough to commit.

``snapshot`` takes it from a run, ``file`` reads and writes ``baseline.json``, ``packing`` compresses arrays.
"""
