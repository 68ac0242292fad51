"""The bases of a run: what they take is said beforehand, they are made, and the layers put under them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.progress import Progress
from onnxdissect.core.state.layer_state import LayerState
from onnxdissect.errors import OnnxDissectError, ParameterError
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.kept import keep_basis, read_kept_basis
from onnxdissect.model.bases.spec import BasisSpec, make_bases
from onnxdissect.model.layers.basis import BasisLayer, basis_layers
from onnxdissect.model.layers.records import Layer
from onnxdissect.pipeline.execution.moments_pass import gather_moments
from onnxdissect.pipeline.prepare import Prepared, bin_budget, prepare_under, spool_budget
from onnxdissect.results.formats.nearest import NearestUnits, write_nearest_units
from onnxdissect.storage.disk import size_text
from onnxdissect.storage.files import make_folder, write_text
from onnxdissect.wording import counted

__all__ = ["keep_bases", "matrix_bytes", "plan_under", "say_memory", "under_bases"]

_RECORDS = "bases.json"
# A seed gives the others again.
_KEPT = ("pca", "file", "matrix")


def plan_under(prepared: Prepared) -> Plan:
    """Plan the pass over the layers and their bases before these are made.

    Parameters
    ----------
    prepared : Prepared
        Of the layers themselves.

    Returns
    -------
    Plan
        Of the same units, shapes and places as the plan of `under_bases`.
    """
    layers: list[LayerPlan] = []
    for layer in prepared.plan.layers:
        layers.append(layer)
        for asked in prepared.request.bases:
            rows = asked.rows(layer.units) if isinstance(asked, BasisSpec) else len(asked.matrix)
            layers.append(replace(layer, name=f"{layer.name}/basis/{asked.name}", units=rows))
    matrices = matrix_bytes(prepared)
    return replace(
        prepared.plan,
        layers=tuple(layers),
        spool_bytes=spool_budget(matrices),
        bin_bytes=bin_budget(matrices),
    )


def matrix_bytes(prepared: Prepared) -> int:
    """Count what the numbers of all bases take, before these are made.

    Parameters
    ----------
    prepared : Prepared
        Of the layers themselves.

    Returns
    -------
    int
        Bytes, those of biases as well.
    """
    found = 0
    for layer in prepared.request.layers:
        for asked in prepared.request.bases:
            if isinstance(asked, BasisSpec):
                rows = asked.rows(layer.units)
                found += 4 * rows * (layer.units + asked.needs_moments)
            else:
                found += asked.nbytes
    return found


def say_memory(prepared: Prepared, notify: Callable[[str], None]) -> None:
    """Say how many units the bases add, and what memory they take.

    Parameters
    ----------
    prepared : Prepared
        Of the layers themselves.
    notify : callable
        Told so.
    """
    own, plan = prepared.plan, plan_under(prepared)
    layers = len(plan.layers) - len(own.layers)
    units = sum(layer.units for layer in plan.layers) - sum(layer.units for layer in own.layers)
    # one at a time, so that only one is held
    held = plan.spool_bytes * 5 // 4 + sum(LayerState(layer, plan).nbytes for layer in plan.layers)
    notify(
        f"bases: {counted(units, 'unit')} more, {counted(layers, 'layer')}; the pass holds at most "
        f"{size_text(held)} beside the network, and {size_text(matrix_bytes(prepared))} of matrices"
    )
    if any(map(_fitted, prepared.request.bases)):
        gathered = sum(8 * layer.units * layer.units for layer in own.layers)
        most = max(8 * layer.units * layer.units for layer in own.layers)
        notify(
            "principal components take a pass over the images before the run's own, which holds at most "
            f"{size_text(gathered + most)}"
        )


def under_bases(
    prepared: Prepared, work: Path, progress: Progress, notify: Callable[[str], None], *, unfinished: bool
) -> Prepared:
    """Make the bases of a run and put its layers under them.

    Parameters
    ----------
    prepared : Prepared
        Of the layers themselves.
    work : Path
        The work folder of the run. Principal components are kept there: fitted a second time, after an
        interruption, they might be others in their last bit.
    progress : Progress
        Told how far the pass is that principal components take.
    notify : callable
        Told what was made.
    unfinished : bool
        Whether an interrupted run has left something in the work folder.

    Returns
    -------
    Prepared
        Of each layer and, after it, the layer under each basis, in the order that they were asked for.

    Raises
    ------
    OnnxDissectError
        If a basis cannot be made, or the network not be run with it.
    """
    request = prepared.request
    fitted: Mapping[tuple[str, str], Basis] = {}
    if any(map(_fitted, request.bases)):
        fitted = (_read(prepared, work, notify) if unfinished else {}) or _fit(prepared, work, progress)
    drawn: dict[int, tuple[Basis, ...]] = {}
    taken = {layer.slug.casefold() for layer in request.layers}
    layers: list[Layer] = []
    for layer in request.layers:
        if layer.units not in drawn:
            drawn[layer.units] = make_bases([b for b in request.bases if not _fitted(b)], layer.units)
        made = {basis.name: basis for basis in drawn[layer.units]}
        bases = [made.get(asked.name) or fitted[layer.name, asked.name] for asked in request.bases]
        under = basis_layers(layer, bases, taken)
        taken |= {one.slug.casefold() for one in under}
        layers += [layer, *under]
    return prepare_under(prepared, layers, notify)


def keep_bases(prepared: Prepared) -> None:
    """Keep in the run directory what units are nearest, and the numbers of bases that no seed gives again.

    Parameters
    ----------
    prepared : Prepared
        Of the layers and what they are under.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    for layer in prepared.request.layers:
        if isinstance(layer, BasisLayer):
            folder = make_folder(prepared.request.target / "layers" / layer.slug)
            write_nearest_units(folder, NearestUnits(*layer.basis.nearest_units()))
            if layer.basis.kind in _KEPT:
                keep_basis(folder / "basis.npz", layer.basis)


def _fitted(asked: BasisSpec | Basis) -> bool:
    return isinstance(asked, BasisSpec) and asked.needs_moments


def _fit(prepared: Prepared, work: Path, progress: Progress) -> dict[tuple[str, str], Basis]:
    """Fit what is fitted to activations, by layer and name, and keep it in the work folder."""
    moments = gather_moments(prepared, progress)
    asked = [basis for basis in prepared.request.bases if _fitted(basis)]
    found: dict[tuple[str, str], Basis] = {}
    for layer, gathered in zip(prepared.request.layers, moments, strict=True):
        try:
            bases = make_bases(asked, layer.units, gathered)
        except ParameterError as error:
            said = f"layer {layer.name!r}: {error.message}"
            raise ParameterError(said, candidates=error.candidates, hint=error.hint) from error
        found |= {(layer.name, basis.name): basis for basis in bases}
    records = []
    for i, ((layer_name, _), basis) in enumerate(found.items()):
        keep_basis(work / f"basis-{i}.npz", basis)
        records.append({"layer": layer_name, "record": basis.record})
    write_text(work / _RECORDS, json.dumps(records))
    return found


def _read(prepared: Prepared, work: Path, notify: Callable[[str], None]) -> dict[tuple[str, str], Basis]:
    """Read what `_fit` has kept; nothing if that is not all there."""
    wanted = {
        (layer.name, basis.name)
        for layer in prepared.request.layers
        for basis in prepared.request.bases
        if _fitted(basis)
    }
    try:
        records: list[dict[str, Any]] = json.loads((work / _RECORDS).read_text(encoding="ascii"))
        found = {}
        for i, told in enumerate(records):
            basis = read_kept_basis(work / f"basis-{i}.npz", told["record"])
            found[str(told["layer"]), basis.name] = basis
    except (OnnxDissectError, OSError, ValueError, KeyError, TypeError, AttributeError):
        found = {}
    if found.keys() != wanted:
        notify(
            "the principal components of the interrupted run are damaged or missing: they are fitted again"
        )
        return {}
    return found
