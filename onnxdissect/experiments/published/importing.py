"""Published results as one call with flat keywords."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onnxdissect.arguments import checked_arguments
from onnxdissect.core.quantiles import check_quantiles
from onnxdissect.core.scoring import check_iou_threshold, check_scoring
from onnxdissect.errors import ParameterError, ResultFileError, shown
from onnxdissect.experiments.published.columns import ResultColumns, find_columns
from onnxdissect.experiments.published.concepts import bests_of, gather_concepts
from onnxdissect.experiments.published.layers import PublishedLayer, read_layers
from onnxdissect.experiments.published.nameless import find_nameless, nameless_warning
from onnxdissect.experiments.published.naming import name_layers
from onnxdissect.experiments.published.table import ResultTable, read_table
from onnxdissect.model.layers.records import make_slug
from onnxdissect.pipeline.run_directory import claim_directory
from onnxdissect.pipeline.write_run import tool_versions
from onnxdissect.results import Concept, Dissection, LayerInfo, load, save_published, write_results
from onnxdissect.results.formats.published import IMPORTED
from onnxdissect.storage.memory import explained_memory
from onnxdissect.wording import counted as numbered

__all__ = ["import_netdissect"]

_FORMAT = "netdissect"
_COUNTS = ("truth", "activation", "intersect")


@dataclass(frozen=True, slots=True)
class _Published:
    """All that was read: files with their columns, layers by name, each with its file, and their concepts."""

    files: tuple[tuple[ResultTable, ResultColumns], ...]
    layers: Mapping[str, tuple[ResultTable, PublishedLayer]]
    categories: tuple[str, ...]
    concepts: tuple[Concept, ...]
    counted: bool


@checked_arguments()
@explained_memory()
def import_netdissect(
    csv: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    layers: Sequence[str] | str = (),
    network: str | None = None,
    data_name: str = "",
    quantile: float = 0.005,
    scoring: str | None = None,
    iou_threshold: float = 0.04,
    fresh: bool = False,
    notify: Callable[[str], None] | None = None,
) -> Dissection:
    """Make a run directory of published result files of NetDissect or NetDissect-Lite.

    It has units, labels and IoUs, and no images: `onnxdissect.load`, reports and rescoring by another IoU
    threshold take it like any other. What the files do not tell is refused with that reason.

    Parameters
    ----------
    csv : str, Path, or sequence of these
        Files as NetDissect and NetDissect-Lite write them, or ``netdissect.csv`` of a run. Several are layers
        of one network.
    out : str or Path
        The run directory.
    layers : sequence of str
        Names of the layers of files that have no column ``layer``; by default they are made of the files'
        names.
    network : str, optional
        What the network is called; by default the name of the run directory.
    data_name : str
        What the data set is called; the files do not tell.
    quantile : float
        The level tau that they were made at, which they do not tell either; 0.005 is NetDissect's.
    scoring : {"paper", "lite", "pnas"}, optional
        The convention of their IoU. By default ``lite`` where all counts are written with a decimal point, as
        NetDissect-Lite does, and ``paper`` elsewhere.
    iou_threshold : float
        A unit is a detector if its IoU is larger.
    fresh : bool
        Whether a run that is there may be overwritten.
    notify : callable, optional
        Given one-line statements.

    Returns
    -------
    Dissection
        As `onnxdissect.load` gives it, with `Dissection.imported` set.

    Raises
    ------
    ResultFileError
        If a file is missing, malformed, or contradicts itself or another.
    ParameterError
        If a parameter is out of its range, or layers are called alike.
    OutputError, RunMismatchError
        If `out` cannot be written, holds something else, or another run.
    """
    (tau,) = check_quantiles([quantile])
    threshold = check_iou_threshold(iou_threshold)
    notify = notify or _ignore
    paths = [Path(csv)] if isinstance(csv, str | Path) else [Path(one) for one in csv]
    published = _read(paths, (layers,) if isinstance(layers, str) else tuple(layers))
    followed = _scoring(published) if scoring is None else check_scoring(scoring)
    notes = list(_notes(published, followed, threshold, chosen=scoring is not None))
    for note in notes:
        notify(f"note: {note}")
    folder = Path(out)
    name = network or folder.absolute().name
    manifest = {
        "model": {"path": name},
        "data": {"name": data_name, "images": 0},
        "parameters": {
            "quantiles": [tau],
            "iou_threshold": threshold,
            "scoring": followed,
            "min_images": 1,
            "bootstrap": 0,
            "null": 0,
            "seed": 0,
        },
        IMPORTED: {"network": name, **_record(published, threshold)},
    }
    directory = claim_directory(folder, manifest, fresh=fresh)
    if directory.complete:
        notify(f"{folder} already holds these results")
        return load(folder)
    with directory.work():
        return _write(folder, manifest | {"warnings": notes, "versions": tool_versions()}, published)


def _read(paths: Sequence[Path], given: Sequence[str]) -> _Published:
    if not paths:
        raise ParameterError("there is no file to import", hint="onnxdissect import-netdissect CSV --out RUN")
    files: list[tuple[ResultTable, ResultColumns]] = []
    found: list[tuple[ResultTable, PublishedLayer]] = []
    for path in paths:
        table = read_table(path)
        columns = find_columns(table)
        files.append((table, columns))
        found += [(table, layer) for layer in read_layers(table, columns)]
    categories = tuple(one.name for one in files[0][1].categories)
    for table, columns in files:
        if tuple(one.name for one in columns.categories) != categories:
            raise table.fault(
                f"its categories are {', '.join(one.name for one in columns.categories)}, and those of "
                f"{files[0][0].path} {', '.join(categories)}",
                hint="import each of them into a run of its own",
            )
    names = name_layers(found, given)
    counted = all(columns.counted for _, columns in files)
    layers = dict(zip(names, found, strict=True))
    return _Published(tuple(files), layers, categories, gather_concepts(found, categories), counted)


def _scoring(published: _Published) -> str:
    decimal = {layer.decimal for _, layer in published.layers.values()} if published.counted else {False}
    if len(decimal) > 1:
        first, other = (
            next(table for table, layer in published.layers.values() if layer.decimal is kind)
            for kind in (True, False)
        )
        raise ResultFileError(
            f"{first.path} looks like a file of NetDissect-Lite and {other.path} like one of NetDissect, "
            "which count activations otherwise",
            hint="import each into a run of its own, or say with --scoring how both are scored",
        )
    return "lite" if decimal == {True} else "paper"


def _notes(published: _Published, scoring: str, threshold: float, *, chosen: bool) -> list[str]:
    """Say what was taken for granted, left out, or changed."""
    said = []
    if not chosen and scoring == "lite":
        said.append(
            "all counts are written with a decimal point, as NetDissect-Lite does: taken as scored by its "
            "convention, lite; --scoring says otherwise"
        )
    for table, columns in published.files:
        if columns.left_out:
            listed = ", ".join(map(shown, columns.left_out[:5]))
            more = len(columns.left_out) - 5
            said.append(
                f"{table.path.name}: {numbered(len(columns.left_out), 'column')} left out: {listed}"
                + (f" and {more:,} more" if more > 0 else "")
            )
    if not published.counted:
        some = any(one.counts for _, columns in published.files for one in columns.categories)
        said.append(
            ("not all categories have counts of pixels" if some else "there are no counts of pixels")
            + ": IoUs are taken as they are written"
        )
    for name, (_, layer) in published.layers.items():
        found = find_nameless(layer, published.categories, threshold)
        if found:
            said.append(nameless_warning(layer, name, found, threshold))
    return said


def _record(published: _Published, threshold: float) -> dict[str, Any]:
    """Tell where the results are from, for the manifest."""
    by_table: dict[int, list[str]] = {}
    for name, (table, _) in published.layers.items():
        by_table.setdefault(id(table), []).append(name)
    left_out = sorted({column for _, columns in published.files for column in columns.left_out})
    nameless = [
        {"layer": name, **asdict(one)}
        for name, (_, layer) in published.layers.items()
        for one in find_nameless(layer, published.categories, threshold)
    ]
    return {
        "format": _FORMAT,
        "files": [
            {"file": table.path.name, "sha256": table.sha256, "layers": by_table[id(table)]}
            for table, _ in published.files
        ],
        "known": ["label", "iou", *(_COUNTS if published.counted else ())],
        **({"left_out": left_out} if left_out else {}),
        **({"nameless": nameless} if nameless else {}),
    }


def _write(folder: Path, manifest: Mapping[str, Any], published: _Published) -> Dissection:
    concepts = published.concepts
    infos: list[LayerInfo] = []
    taken: set[str] = set()
    for name, (_, layer) in published.layers.items():
        info = LayerInfo(
            name=name,
            alias=name,
            slug=make_slug(name, taken),
            op="",
            layout="",
            units=len(layer.labels),
            shape=(0, 0),
            geometry=None,
            upsample="",
        )
        taken.add(info.slug.casefold())
        infos.append(info)
        save_published(
            folder, info, bests_of(layer, concepts, published.categories, counted=published.counted)
        )
    parameters = manifest["parameters"]
    return write_results(
        folder,
        {**manifest, "data": {**manifest["data"], "concepts": len(concepts)}},
        layers=infos,
        quantiles=parameters["quantiles"],
        categories=published.categories,
        concepts=concepts,
        images=(),
        iou_threshold=parameters["iou_threshold"],
        scoring=parameters["scoring"],
    )


def _ignore(message: str) -> None:
    pass
