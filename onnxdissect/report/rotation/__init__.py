"""The page of a run of rotations: how many of its detectors are left, and what becomes of each concept.

``views`` says in words what was found, ``chart`` lays the curve out, ``followed`` gathers the units whose
pictures are shown, ``page`` writes it all; `build_rotation` is what callers need.
"""

from __future__ import annotations

from onnxdissect.report.rotation.page import build_rotation

__all__ = ["build_rotation"]
