"""Runs as earlier versions left them."""

from __future__ import annotations

import json
from pathlib import Path


def without_statistics(run: Path) -> Path:
    """Take away what a run keeps of its statistics beside the tables."""
    for file in run.glob("layers/*/intervals.npz"):
        file.unlink()
    manifest = json.loads((run / "manifest.json").read_text())
    manifest.pop("statistics", None)
    (run / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return run


def without_checksums(run: Path) -> Path:
    """Take away what says which archives are the run's own."""
    manifest = json.loads((run / "manifest.json").read_text())
    del manifest["archives"]
    (run / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return run
