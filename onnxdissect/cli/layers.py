"""``onnxdissect layers``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.tables import aligned_lines, plain_table
from onnxdissect.errors import ParameterError

if TYPE_CHECKING:
    from onnxdissect.model import Layer, Network

__all__ = ["layers"]

_COLUMNS = (
    *("stage", "alias", "value", "op", "layout", ">shape", ">units", ">cells"),
    *(">field", ">stride", ">offset", ">parameters", ">compute", "derived from"),
)
_OPEN_SHOWN = 3


def layers(
    model: Annotated[Path, typer.Argument(help="An ONNX file.", show_default=False)],
    layer: Annotated[
        list[str] | None, typer.Option(metavar="SEL", help="Only these, as `run` would choose; repeatable.")
    ] = None,
    image_size: options.ImageSize = None,
    layout: options.Layout = None,
    bind: options.Bind = None,
    custom_ops: options.CustomOps = None,
    probe_timeout: options.ProbeTimeout = None,
    graph: Annotated[
        bool, typer.Option("--graph", help="Print what `run` would do to the graph instead.")
    ] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Measure where cells respond, and compare with what was derived.")
    ] = False,
    data: Annotated[
        str | None, typer.Option(metavar=options.DATA, help="Images to probe with; drawn ones by default.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Preprocessing to probe with, as for `run`.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the layers that can be dissected, with what was derived about them."""
    from onnxdissect.model import load_network

    if not probe and (data is not None or preset is not None):
        raise ParameterError("--data and --preset are for --probe", hint="add --probe")
    if probe and graph:
        raise ParameterError("--probe and --graph print different things", hint="leave one of them out")

    network = load_network(
        model,
        image_size=options.image_size(image_size),
        bind=options.bindings(bind),
        layouts=options.layouts(layout),
        custom_ops=custom_ops or (),
        probe_timeout=options.probe_timeout(probe_timeout),
    )
    if graph:
        _print_graph(network, layer or ["stages"], as_json=as_json)
        return
    chosen = network.select(layer) if layer else network.layers
    if probe:
        from onnxdissect.cli.printing.probe import print_probe

        print_probe(network, chosen, data, preset, as_json=as_json)
        return
    if as_json:
        print_json([asdict(found) for found in chosen])
        return
    console = output()
    height, width = network.size
    console.print(
        f"{network.path.name}: input {network.input.name} {network.input.layout} {network.input.dtype}, "
        f"{height}x{width} pixels",
        markup=False,
    )
    rows = [_row(found) for found in chosen]
    if sys.stdout.isatty():
        console.print(plain_table(None, _COLUMNS, rows))
    else:
        # a file has room; folded cells are hard to search
        print("\n".join(aligned_lines(_COLUMNS, rows)))
    _print_open(network)


def _print_graph(network: Network, selectors: list[str], *, as_json: bool) -> None:
    from onnxdissect.model.surgery.describe import surgery_steps

    steps = surgery_steps(network, network.select(selectors))
    if as_json:
        print_json(list(steps))
        return
    console = output()
    for number, step in enumerate(steps, 1):
        console.print(f"{number:2}. {step}", markup=False, soft_wrap=True)


def _print_open(network: Network) -> None:
    """Say on stderr which values a stated layout would make layers of."""
    from onnxdissect.model.layers.coverage_warnings import listing_warnings

    for warning in listing_warnings(network.listing):
        log().print(f"warning: {warning}", markup=False)
    left = [name for name, reason in network.listing.refusals.items() if "leaves open" in reason]
    if not left:
        return
    shown = ", ".join(left[:_OPEN_SHOWN]) + (", ..." if len(left) > _OPEN_SHOWN else "")
    log().print(
        f"{len(left)} further values have a layout that the graph leaves open ({shown}): "
        "--layer VALUE says why, --layout VALUE=LAYOUT states it",
        markup=False,
    )


def _row(layer: Layer) -> list[object]:
    field = layer.receptive_field
    numbers = (None,) * 3 if field is None else (field.size, field.stride, field.offset)
    geometry = ["-" if pair is None else _pair(pair) for pair in numbers]
    return [
        layer.stage or ("" if layer.part == "trunk" else layer.part),
        layer.alias,
        layer.name,
        layer.op,
        layer.layout,
        "x".join(map(str, layer.shape)),
        layer.units,
        _pair(layer.grid, always=True),
        *geometry,
        f"{layer.parameters:,}",
        f"{layer.share:.0%}",
        layer.reason,
    ]


def _pair(values: tuple[float, float], *, always: bool = False) -> str:
    first, second = (f"{value:g}" for value in values)
    return f"{first}x{second}" if always or first != second else first
