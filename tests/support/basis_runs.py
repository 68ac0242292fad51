"""Made-up runs whose first layer is also there under a basis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from onnxdissect.results import Dissection, LayerInfo, NearestUnits
from onnxdissect.results.formats.nearest import write_nearest_units
from support.fake_counts import FakeRun, fake_run


def fake_basis_run(
    *,
    names: Sequence[str] = (),
    units: Sequence[int] = (8, 12),
    quantiles: Sequence[float] = (0.005,),
    bases: Sequence[str] = ("mine",),
    seed: int = 0,
) -> FakeRun:
    """Make up a run; of `units` the first are the layer's own, the others of a basis each."""
    plain = fake_run(units=units, quantiles=quantiles, seed=seed)
    own = plain.layers[0]
    under = tuple(
        replace(
            own,
            name=f"{own.name}/basis/{basis}",
            alias=f"{own.alias}/{basis}",
            slug=f"{own.slug}-basis-{i}",
            units=layer.units,
            basis={
                "kind": "matrix",
                "name": basis,
                "shape": [layer.units, own.units],
                "sha256": "2" * 64,
                **({"names": list(names)} if names else {}),
            },
        )
        for i, (basis, layer) in enumerate(zip(bases, plain.layers[1:], strict=True))
    )
    return replace(plain, layers=(own, *under))


def random_nearest(info: LayerInfo, seed: int = 0) -> NearestUnits:
    assert info.basis is not None
    rng = np.random.default_rng(seed)
    own = info.basis["shape"][1]
    # of a direction's cosines with all units, the largest is no less
    least = -1 / np.sqrt(own)
    return NearestUnits(rng.integers(0, own, info.units), rng.uniform(least, 1, info.units).round(6))


def save_with_nearest(run: FakeRun, folder: Path) -> Dissection:
    """Write the run, and made-up nearest units of every layer under a basis."""
    found = run.save(folder)
    for info in found.layers:
        if info.basis is not None:
            write_nearest_units(folder / "layers" / info.slug, random_nearest(info))
    return found
