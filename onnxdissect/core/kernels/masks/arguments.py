"""The arrays that kernels are given, as named tuples, since Numba takes no dataclasses."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from onnxdissect.compiling.kernel import inlined
from onnxdissect.core.sparse_maps import Annotations, SparseMaps
from onnxdissect.core.upsampling import InterpolationTable

__all__ = [
    "AnnotationArrays",
    "GridTable",
    "MapArrays",
    "annotation_arrays",
    "grid_table",
    "map_arrays",
    "table_of",
]


class MapArrays(NamedTuple):
    """Arrays of `onnxdissect.core.sparse_maps.SparseMaps`."""

    image_starts: NDArray[Any]
    units: NDArray[Any]
    starts: NDArray[Any]
    cells: NDArray[Any]
    values: NDArray[Any]


class AnnotationArrays(NamedTuple):
    """Arrays of `onnxdissect.core.sparse_maps.Annotations`."""

    label_sets: NDArray[Any]
    pixel_starts: NDArray[Any]
    grid_of: NDArray[Any]
    parts: NDArray[Any]
    part_starts: NDArray[Any]
    label_set_starts: NDArray[Any]
    image_labels: NDArray[Any]
    image_label_starts: NDArray[Any]
    has_category: NDArray[Any]


class GridTable(NamedTuple):
    """Arrays of `onnxdissect.core.upsampling.InterpolationTable`, of all grids or of one."""

    row_low: NDArray[Any]
    row_high: NDArray[Any]
    row_weight: NDArray[Any]
    row_spans: NDArray[Any]
    column_high: NDArray[Any]
    column_weight: NDArray[Any]
    spans: NDArray[Any]


def map_arrays(maps: SparseMaps) -> MapArrays:
    """Give the arrays of sparse maps.

    Parameters
    ----------
    maps : SparseMaps

    Returns
    -------
    MapArrays
        Views.
    """
    return MapArrays(maps.image_starts, maps.units, maps.starts, maps.cells, maps.values)


def annotation_arrays(annotations: Annotations) -> AnnotationArrays:
    """Give the arrays of annotations.

    Parameters
    ----------
    annotations : Annotations

    Returns
    -------
    AnnotationArrays
        Views.
    """
    return AnnotationArrays(
        annotations.label_sets,
        annotations.pixel_starts,
        annotations.grid_of,
        annotations.parts,
        annotations.part_starts,
        annotations.label_set_starts,
        annotations.image_labels,
        annotations.image_label_starts,
        annotations.has_category,
    )


def grid_table(table: InterpolationTable, grid: int | slice = slice(None)) -> GridTable:
    """Give the arrays of an interpolation table.

    Parameters
    ----------
    table : InterpolationTable
    grid : int or slice
        Of this grid, or of all.

    Returns
    -------
    GridTable
        Views.
    """
    return GridTable(
        table.row_low[grid],
        table.row_high[grid],
        table.row_weight[grid],
        table.row_spans[grid],
        table.column_high[grid],
        table.column_weight[grid],
        table.spans[grid],
    )


@inlined
def table_of(table, grid):
    """Take the table of one grid from the table of all."""
    return GridTable(
        table.row_low[grid],
        table.row_high[grid],
        table.row_weight[grid],
        table.row_spans[grid],
        table.column_high[grid],
        table.column_weight[grid],
        table.spans[grid],
    )
