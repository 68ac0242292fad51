"""``onnxdissect layers --probe``: where cells lie by the graph, and where they are measured to respond."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.tables import aligned_lines, plain_table

if TYPE_CHECKING:
    from onnxdissect.model import EffectiveCentre, Layer, Network

__all__ = ["print_probe"]

_COLUMNS = (
    *("stage", "alias", "value", ">cells", ">stride", ">offset", ">responds at", ">error", ">spread"),
    *(">apart", "upsampling", "why"),
)


def print_probe(
    network: Network, layers: Sequence[Layer], data: str | None, preset: str | None, *, as_json: bool
) -> None:
    """Measure the centres of layers and print them beside the graph's.

    Parameters
    ----------
    network : Network
    layers : sequence of Layer
    data : str or None
        As for `run`; None for generated images.
    preset : str or None
        Preprocessing by name; None to take the model's own, or what is assumed for it.
    as_json : bool
        Print records in place of a table.
    """
    from onnxdissect.model import choose_preprocessing
    from onnxdissect.model.receptive_field.probe import measure_layers
    from onnxdissect.pipeline.placement import auto_placement

    preprocessing = choose_preprocessing(network, preset=preset)
    centres = measure_layers(network, layers, preprocessing, None if data is None else _images(data))
    records = [
        _record(layer, centre, auto_placement(layer, network.size, centre).upsample)
        for layer, centre in zip(layers, centres, strict=True)
    ]
    if as_json:
        print_json([asdict(layer) | {"probe": record} for layer, record in zip(layers, records, strict=True)])
        return
    console = output()
    console.print(
        f"{network.path.name}: {network.size[0]}x{network.size[1]} pixels; {preprocessing.describe()}",
        markup=False,
    )
    if preprocessing.remark:
        log().print(f"warning: {preprocessing.remark}", markup=False)
    rows = [_row(layer, record) for layer, record in zip(layers, records, strict=True)]
    if sys.stdout.isatty():
        console.print(plain_table(None, _COLUMNS, rows))
    else:
        # a file has room; folded cells are hard to search
        print("\n".join(aligned_lines(_COLUMNS, rows)))
    apart = sum(record["contradicts"] for record in records)
    unmeasured = sum(bool(record["reason"]) for record in records)
    log().print(
        f"of {len(records)} layers {apart} respond more than half a cell from where the graph has their "
        f"cells, {unmeasured} cannot be measured",
        markup=False,
    )


def _images(data: str) -> list[NDArray[np.uint8]]:
    from onnxdissect.data import open_data
    from onnxdissect.model import PROBE_IMAGES

    dataset = open_data(data)
    return [dataset.read_image(i) for i in range(min(PROBE_IMAGES, len(dataset)))]


def _record(layer: Layer, centre: EffectiveCentre, upsample: str) -> dict[str, Any]:
    from onnxdissect.model import contradicts, rule_distance

    return asdict(centre) | {
        "apart": rule_distance(layer, centre),
        "contradicts": contradicts(layer, centre),
        "upsample": upsample,
    }


def _row(layer: Layer, record: dict[str, Any]) -> list[object]:
    rule = layer.receptive_field
    if record["reason"]:
        why = record["reason"]
    elif record["contradicts"]:
        why = "more than half a cell from the graph's centre"
    else:
        why = "" if rule is not None else "the graph gives no centre"
    return [
        "" if layer.stage is None else layer.stage,
        layer.alias,
        layer.name,
        f"{layer.grid[0]}x{layer.grid[1]}",
        "-" if rule is None else _pair(rule.stride),
        "-" if rule is None else _pair(rule.offset),
        _pair(record["offset"]),
        _pair(record["error"]),
        _pair(record["spread"]),
        _pair(record["apart"], "+.2f"),
        record["upsample"],
        why,
    ]


def _pair(values: tuple[float, float] | None, form: str = ".4g") -> str:
    if values is None:
        return "-"
    first, second = (format(value, form) for value in values)
    return first if first == second else f"{first}, {second}"
