"""``onnxdissect rotate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.cli.printing.rotation import rotation_json, rotation_sentences, rotation_table
from onnxdissect.cli.rotated import show_rotation

__all__ = ["rotate"]

_ALPHAS = "0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1"


def rotate(
    model: Annotated[Path, typer.Argument(help="An ONNX file.", show_default=False)],
    data: Annotated[
        str, typer.Option(metavar=options.DATA, help="A Broden folder, or a source such as tiny.")
    ] = "tiny",
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SEL",
            help="Value, node, alias, glob, last (the default), stages, neck, heads or all; repeatable.",
        ),
    ] = None,
    alphas: Annotated[
        str, typer.Option(metavar="A,B,...", help="Shares of each rotation, ascending; 0 and 1 are added.")
    ] = _ALPHAS,
    seeds: Annotated[int, typer.Option(metavar="N", help="How many rotations, of the seeds 0 to N-1.")] = 3,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="First turn each layer and turn it back, and compare the outputs."),
    ] = False,
    quantile: Annotated[
        list[float] | None,
        typer.Option(metavar="TAU", help="Share of activations above T_k, 0.005 by default; repeatable."),
    ] = None,
    iou_threshold: Annotated[
        float, typer.Option(help="A unit is a detector if its IoU exceeds this.")
    ] = 0.04,
    upsample: Annotated[
        str, typer.Option(metavar="auto|receptive-field|effective|resize", help="Where cells lie, as in run.")
    ] = "auto",
    preset: Annotated[
        str | None, typer.Option(help="Preprocessing: imagenet, caffe, tf, unit, raw or clip.")
    ] = None,
    mean: Annotated[str | None, typer.Option(help="One number, or one per channel: 0.5,0.5,0.5.")] = None,
    std: Annotated[str | None, typer.Option(help="Likewise: (pixel * scale - mean) / std.")] = None,
    scale: Annotated[float | None, typer.Option(help="Factor on pixels of 0..255.")] = None,
    channels: Annotated[str | None, typer.Option(metavar="rgb|bgr", help="Channel order.")] = None,
    split: Annotated[str | None, typer.Option(help="Only images of this split.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many images.")] = None,
    groups: options.Groups = None,
    batch_size: Annotated[str, typer.Option(metavar="N|auto", help="Images per inference call.")] = "auto",
    provider: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|tensorrt", help="Where the network runs.")
    ] = "auto",
    workers: Annotated[
        int | None, typer.Option(help="Threads that decode images, on a CPU for themselves.")
    ] = None,
    bootstrap: Annotated[int, typer.Option(help="Resamples of the images for intervals; 0 for none.")] = 1000,
    null: Annotated[int, typer.Option(help="Shuffles for p-values of the units, which no curve needs.")] = 0,
    min_images: options.MinImages = 1,
    image_size: options.ImageSize = None,
    bind: options.Bind = None,
    layout: options.Layout = None,
    custom_ops: options.CustomOps = None,
    probe_timeout: options.ProbeTimeout = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="By default dissections/<model>-<data>-rotate.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over, whatever is in --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the curves as JSON.")] = False,
) -> None:
    """Rotate the space of a layer step by step, and count the unique detectors that are left.

    Every layer is dissected as it is, along random rotations, with its units in another order, and along
    random directions, in one pass. Typed again, it goes on, or reads what is there.
    """
    from onnxdissect.experiments.rotation.rotate import rotate as rotate_layers

    console = log()
    progress = open_progress(console)
    try:
        result = rotate_layers(
            model,
            data,
            layer or ["last"],
            alphas=options.numbers("--alphas", alphas, _ALPHAS) or (),
            seeds=seeds,
            verify=verify,
            quantiles=quantile or [0.005],
            iou_threshold=iou_threshold,
            upsample=upsample,
            preset=preset,
            mean=options.numbers("--mean", mean),
            std=options.numbers("--std", std),
            scale=scale,
            channels=channels,
            split=split,
            limit=limit,
            groups=groups,
            batch_size=options.batch_size(batch_size),
            provider=provider,
            workers=workers,
            bootstrap=bootstrap,
            null=null,
            min_images=min_images,
            image_size=options.image_size(image_size),
            bind=options.bindings(bind),
            layouts=options.layouts(layout),
            custom_ops=custom_ops or (),
            probe_timeout=options.probe_timeout(probe_timeout),
            out=out,
            fresh=fresh,
            progress=progress,
            notify=lambda line: console.print(line, markup=False),
        )
        from onnxdissect.experiments.rotation import rotation_files
        from onnxdissect.results import load

        files = rotation_files(result.path)
        figures, page = show_rotation(result, load(result.path), progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command again goes on from the last saved state") from None
    finally:
        progress.close()
    if as_json:
        print_json(rotation_json(result, [*files, *figures, page]))
        return
    console = output()
    console.print(rotation_table(result))
    console.print()
    for line in rotation_sentences(result):
        console.print(line, markup=False, soft_wrap=True)
    console.print()
    console.print(f"run:     {result.path}", markup=False, soft_wrap=True)
    for file in files:
        console.print(f"written: {file}", markup=False, soft_wrap=True)
    console.print(f"figures: {result.path / 'rotation' / 'figures'}", markup=False, soft_wrap=True)
    console.print(f"page:    {page}", markup=False, soft_wrap=True)
