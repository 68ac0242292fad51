"""Made-up runs of rotations: their entries have the names and records that those of real ones have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from onnxdissect.results import LayerInfo
from support.fake_counts import FakeRun, fake_run


def rotated_run(
    *,
    layers: int = 1,
    units: int = 8,
    alphas: Sequence[float] = (0.5, 1.0),
    seeds: int = 2,
    quantiles: Sequence[float] = (0.005,),
    images: int = 12,
) -> FakeRun:
    """Make up a run of rotations. Its permutation is none, as its counts are drawn like all others."""
    names = [f"rotation:seed={seed},alpha={alpha:g}" for seed in range(seeds) for alpha in alphas]
    names += ["permutation:seed=0", *(f"directions:seed={seed}" for seed in range(seeds))]
    each = 1 + len(names)
    plain = fake_run(units=(units,) * (layers * each), quantiles=quantiles, images=images)
    entries: list[LayerInfo] = []
    for i in range(layers):
        own = replace(plain.layers[i * each], slug=f"stage{i}", alias=f"relu{i}", name=f"/stage{i}/Relu")
        own = replace(own, shape=(7, 7), geometry=None, upsample="resize")
        entries.append(own)
        for name in names:
            record = _record(name, units)
            slug = f"{own.slug}-basis-{name.replace(':', '-').replace('=', '-').replace(',', '-')}"
            entries.append(
                replace(
                    own, name=f"{own.name}/basis/{name}", alias=f"{own.alias}/{name}", slug=slug, basis=record
                )
            )
    return replace(plain, layers=tuple(entries))


def _record(name: str, units: int) -> dict[str, Any]:
    kind, _, settings = name.partition(":")
    found: dict[str, Any] = {"kind": kind, "name": name}
    for setting in settings.split(","):
        key, _, value = setting.partition("=")
        found[key] = float(value) if key == "alpha" else int(value)
    if kind == "directions":
        found["n"] = units
    return {**found, "shape": [units, units], "sha256": "0" * 64}
