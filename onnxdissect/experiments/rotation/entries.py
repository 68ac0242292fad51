"""Where the rotations of each layer are in a run directory, and what its tables say of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onnxdissect.errors import RunMismatchError, shown_path
from onnxdissect.experiments.rotation.records import RotatedLayer, RotationPoint
from onnxdissect.results import Dissection, LayerInfo

__all__ = ["RotationEntries", "find_entries", "rotation_points"]

_Place = tuple[str, float | None, int | None]


@dataclass(frozen=True, slots=True)
class RotationEntries:
    """The entries of one layer in a run.

    Attributes
    ----------
    own : LayerInfo
        The layer itself.
    rotations : tuple of tuple of LayerInfo, shape (seeds, alphas)
        Ascending; at alpha 0 the layer itself.
    permutation : LayerInfo
    directions : tuple of LayerInfo
        One per seed.
    alphas : tuple of float
    seeds : tuple of int
    permuted_by : int
        Seed of the permutation.
    """

    own: LayerInfo
    rotations: tuple[tuple[LayerInfo, ...], ...]
    permutation: LayerInfo
    directions: tuple[LayerInfo, ...]
    alphas: tuple[float, ...]
    seeds: tuple[int, ...]
    permuted_by: int

    @property
    def layer(self) -> RotatedLayer:
        """What the result says of the layer."""
        return RotatedLayer(self.own.name, self.own.alias, self.own.slug, self.own.units)

    @property
    def all(self) -> Iterator[tuple[_Place, LayerInfo]]:
        """Every entry once, with its kind, alpha and seed."""
        yield ("own", 0.0, None), self.own
        for seed, turned in zip(self.seeds, self.rotations, strict=True):
            for alpha, info in zip(self.alphas[1:], turned[1:], strict=True):
                yield ("rotation", alpha, seed), info
        yield ("permutation", None, self.permuted_by), self.permutation
        for seed, info in zip(self.seeds, self.directions, strict=True):
            yield ("directions", None, seed), info


def find_entries(run: Dissection) -> tuple[RotationEntries, ...]:
    """Find the rotations in a run.

    Parameters
    ----------
    run : Dissection

    Returns
    -------
    tuple of RotationEntries
        One per layer, all of the same alphas and seeds.

    Raises
    ------
    RunMismatchError
        If the run does not hold for every layer what `onnxdissect.rotate` puts it under.
    """
    own = [info for info in run.layers if info.basis is None]
    found = [_entries_of(info, run) for info in own]
    whole = [entries for entries in found if entries is not None]
    if not own or len(whole) < len(own) or len({(one.alphas, one.seeds) for one in whole}) > 1:
        raise RunMismatchError(
            f"{shown_path(run.path)} is a run, but not one of rotations",
            hint="`onnxdissect rotate MODEL` makes one",
        )
    return tuple(whole)


def rotation_points(run: Dissection, entries: tuple[RotationEntries, ...]) -> tuple[RotationPoint, ...]:
    """Give what the run's table of layers says of every entry.

    Parameters
    ----------
    run : Dissection
    entries : tuple of RotationEntries
        As `find_entries` gives them.

    Returns
    -------
    tuple of RotationPoint
        In the order of `onnxdissect.experiments.rotation.result.RotationResult`.
    """
    told = {(summary.layer, summary.quantile): summary for summary in run.summary()}
    points = []
    for of_layer in entries:
        for quantile in run.quantiles:
            for (kind, alpha, seed), info in of_layer.all:
                summary = told[info.name, quantile]
                points.append(
                    RotationPoint(
                        layer=of_layer.own.name,
                        quantile=quantile,
                        kind=kind,
                        alpha=alpha,
                        seed=seed,
                        entry=info.name,
                        units=info.units,
                        detectors=summary.detectors,
                        unique_detectors=summary.unique_detectors,
                        unique_low=summary.unique_low,
                        unique_high=summary.unique_high,
                        unique=dict(summary.unique),
                    )
                )
    return tuple(points)


def _entries_of(own: LayerInfo, run: Dissection) -> RotationEntries | None:
    """Find the entries of one layer; None if they are not one for each alpha and seed."""
    found: dict[_Place, LayerInfo] = {}
    for info in run.layers:
        if info.basis is None or info.name != f"{own.name}/basis/{info.basis['name']}":
            continue
        alpha = info.basis.get("alpha") if info.basis["kind"] == "rotation" else None
        found[info.basis["kind"], alpha, info.basis.get("seed")] = info
    turned = [(alpha, seed) for kind, alpha, seed in found if kind == "rotation"]
    alphas = sorted({alpha for alpha, _ in turned if alpha is not None})
    seeds = sorted({seed for _, seed in turned if seed is not None})
    permuted = [(info, seed) for (kind, _, seed), info in found.items() if kind == "permutation"]
    try:
        rotations = tuple((own, *(found["rotation", alpha, seed] for alpha in alphas)) for seed in seeds)
        directions = tuple(found["directions", None, seed] for seed in seeds)
    except KeyError:
        return None
    if not seeds or len(permuted) != 1 or alphas[0] <= 0 or alphas[-1] != 1:
        return None
    same = all(info.units == own.units for row in rotations for info in row)
    permutation, permuted_by = permuted[0]
    if not same or permutation.units != own.units or permuted_by is None:
        return None
    return RotationEntries(own, rotations, permutation, directions, (0.0, *alphas), tuple(seeds), permuted_by)
