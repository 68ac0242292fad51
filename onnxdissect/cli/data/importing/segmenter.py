"""``onnxdissect data import segmenter``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli import options

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData

__all__ = ["segmenter"]


def segmenter(
    model: Annotated[Path, typer.Option(metavar="FILE", help="A segmentation network, an ONNX file.")],
    images: Annotated[Path, typer.Option(metavar="DIR", help="Images, at any depth.")],
    classes: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="A class a line, or INDEX,NAME[,CATEGORY]; CATEGORY:FILE,... of heads."
        ),
    ],
    ignore: Annotated[
        str | None, typer.Option(metavar="0,void", help="Classes that mean unlabelled, by number or name.")
    ] = None,
    confidence: Annotated[
        str | None, typer.Option(metavar="P", help="Pixels whose class is less probable are unlabelled.")
    ] = None,
    scores: Annotated[
        str | None, typer.Option(metavar="logits|probabilities", help="What the output holds.")
    ] = None,
    output: Annotated[str | None, typer.Option(metavar="NAME", help="The output that labels pixels.")] = None,
    heads: Annotated[
        str | None,
        typer.Option(metavar="CATEGORY:OUTPUT,...", help="Several outputs, each with its category."),
    ] = None,
    grid: Annotated[
        str | None, typer.Option(metavar="HxW", help="Label grid, by default the output's own.")
    ] = None,
    image_size: options.ImageSize = None,
    preset: Annotated[
        str | None, typer.Option(help="Preprocessing: imagenet, caffe, tf, unit, raw or clip.")
    ] = None,
    mean: Annotated[str | None, typer.Option(help="One number, or one per channel: 0.5,0.5,0.5.")] = None,
    std: Annotated[str | None, typer.Option(help="Likewise: (pixel * scale - mean) / std.")] = None,
    scale: Annotated[str | None, typer.Option(help="Factor on pixels of 0..255.")] = None,
    channels: Annotated[str | None, typer.Option(metavar="rgb|bgr", help="Channel order.")] = None,
    layout: Annotated[
        str | None,
        typer.Option(metavar="VALUE=LAYOUT,...", help="Where the graph leaves it open: NCHW or NHWC."),
    ] = None,
    provider: Annotated[
        str | None, typer.Option(metavar="cpu|cuda|tensorrt", help="Where it runs; cpu by default.")
    ] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Links of images may lead out of their folder.")
    ] = False,
) -> ImportedData:
    """Plain images, labelled by a segmentation network."""
    from onnxdissect.segmenter.importing import read_segmenter
    from onnxdissect.segmenter.spec import make_spec

    arguments = {
        "ignore": ignore,
        "confidence": confidence,
        "scores": scores,
        "output": output,
        "heads": heads,
        "grid": grid,
        "size": image_size,
        "preset": preset,
        "mean": mean,
        "std": std,
        "scale": scale,
        "channels": channels,
        "layout": layout,
        "provider": provider,
        "links": "follow" if follow_links else None,
    }
    return read_segmenter(make_spec(model, images, str(classes), arguments))
