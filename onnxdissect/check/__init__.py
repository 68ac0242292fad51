"""The check: whether a model still detects what its baseline detected.

``gate`` runs it. ``baseline`` is what a candidate is compared with, ``comparing`` pairs the layers of both
and resamples them alike, ``rules`` make findings, ``verdict`` holds them, ``outputs`` writes them for CI.
"""
