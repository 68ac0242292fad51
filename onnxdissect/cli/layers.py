"""``onnxdissect layers``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli.console import output, print_json
from onnxdissect.cli.tables import plain_table
from onnxdissect.errors import ParameterError

if TYPE_CHECKING:
    from onnxdissect.model import Layer

__all__ = ["layers"]

_COLUMNS = (
    *("stage", "alias", "value", "op", "layout", ">units", ">cells"),
    *(">field", ">stride", ">offset", ">parameters", ">compute"),
)


def layers(
    model: Annotated[Path, typer.Argument(help="An ONNX file.", show_default=False)],
    image_size: Annotated[
        str | None, typer.Option(metavar="HxW", help="For graphs that take images of any size.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the layers that can be dissected, with what was derived about them."""
    from onnxdissect.model import load_network

    network = load_network(model, image_size=_size(image_size))
    if as_json:
        print_json([asdict(layer) for layer in network.layers])
        return
    whole = max((layer.macs for layer in network.layers), default=0)
    console = output()
    height, width = network.size
    console.print(
        f"{network.path.name}: input {network.input.name} {network.input.layout} {network.input.dtype}, "
        f"{height}x{width} pixels",
        markup=False,
    )
    console.print(
        plain_table(
            None,
            _COLUMNS,
            [_row(layer, whole) for layer in network.layers],
        )
    )


def _row(layer: Layer, whole: int) -> list[object]:
    field = layer.receptive_field
    geometry = ("-", "-", "-") if field is None else map(_pair, (field.size, field.stride, field.offset))
    return [
        "" if layer.stage is None else layer.stage,
        layer.alias,
        layer.name,
        layer.op,
        layer.layout,
        layer.units,
        _pair(layer.grid, always=True),
        *geometry,
        f"{layer.parameters:,}",
        f"{layer.macs / whole:.0%}" if whole else "-",
    ]


def _pair(values: tuple[float, float], *, always: bool = False) -> str:
    first, second = (f"{value:g}" for value in values)
    return f"{first}x{second}" if always or first != second else first


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise ParameterError(f"--image-size takes height x width, not {text!r}", hint="--image-size 224x224")
    return int(height), int(width)
