"""Finished runs of small networks on the same few images, to be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnxdissect
from support.small_runs import Convolution, broden, network

QUANTILES = (0.1, 0.02)
RESAMPLES = 60
CHAIN = (Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1)), Convolution(5, (2, 2), (1, 1), (0, 0, 0, 0)))


def compared_runs(folder: Path) -> Path:
    """Make ``one``, ``two`` and ``three``: networks of three seeds, layers relu0 (alias relu2) and relu1."""
    broden(folder / "data", 30, seed=2)
    for seed, name in enumerate(("one", "two", "three")):
        network(folder / f"{name}.onnx", list(CHAIN), pool=False, seed=seed)
        dissected(folder, name, bases=("permutation:seed=1",) if name == "one" else ())
    return folder


def dissected(folder: Path, model: str, out: str | None = None, **given: Any) -> onnxdissect.Dissection:
    """Dissect one of the networks."""
    options: dict[str, Any] = {
        "layers": ["relu0", "relu1"],
        "quantiles": QUANTILES,
        "preset": "raw",
        "bootstrap": RESAMPLES,
        "null": 0,
        "workers": 1,
        "out": folder / (out or model),
    }
    return onnxdissect.dissect(folder / f"{model}.onnx", folder / "data", **options | given)


def with_manifest(run: Path, **changed: Any) -> Path:
    """Change keys of a run's manifest, such as ``data__limit``."""
    path = run / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changed.items():
        *above, last = key.split("__")
        record = manifest
        for name in above:
            record = record[name]
        record[last] = value
    path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return run
