"""Images of another size than the file declares: possible where the graph does not need what it declares.

Exporters write the size of their example image into the input, though a fully convolutional network takes
any. The declaration is removed from a clone, which is then tested. At the declared size its outputs must be
those of the file. At the wanted size it must run, and the grids of its layers must grow or shrink as the
images do: if they do not, a size is stored further inside, which would silently cut or stretch the maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnx_ir as ir
from onnx_ir import passes

from onnxdissect.errors import ImageInputError, ModelRuntimeError, ModelTimeoutError
from onnxdissect.model.graph import name_of
from onnxdissect.model.layers.listing import Listing, list_layers
from onnxdissect.model.layers.records import ImageInput, Layer
from onnxdissect.model.reading.randomness import random_nodes
from onnxdissect.model.reading.shape_probe import probe
from onnxdissect.model.runtime.difference import ROUNDING, same_output
from onnxdissect.model.runtime.inference import open_runtime, random_images

__all__ = ["FREED_SIZE", "FreeSize", "free_size", "size_warnings"]

FREED_SIZE = "onnxdissect/freed size"
"""Key in the graph's `meta`: the (height, width) that the file declares and the graph does not need."""

_FEW_CELLS = 4
"""A map of fewer cells down or across tells little of where a unit responds."""

Size = tuple[int, int]


def size_warnings(
    image: ImageInput, size: Size, of_data: Size, layers: Sequence[Layer], asked: Size | None
) -> list[str]:
    """Say where images are shrunk to a size that the file declares and hardly any cell is left.

    Exporters write the size of the example they were given into the input. Where that was not a real image
    but a tiny dummy array, the declared size is far too small.

    Parameters
    ----------
    image : ImageInput
        The network's image input.
    size : (int, int)
        (height, width) that it runs at.
    of_data : (int, int)
        (height, width) of most images.
    layers : sequence of Layer
        Those that are dissected.
    asked : (int, int) or None
        The size that was asked for.

    Returns
    -------
    list of str
        At most one sentence.
    """
    if asked is not None or image.size is None or any(2 * s > d for s, d in zip(size, of_data, strict=True)):
        return []
    small = [layer for layer in layers if layer.layout != "NC" and 1 < max(layer.grid) < _FEW_CELLS]
    if not small:
        return []
    grids = ", ".join(f"{layer.name!r} has {layer.grid[0]}x{layer.grid[1]} cells" for layer in small[-1:])
    return [
        f"the file declares images of {size[0]}x{size[1]} pixels, and the data has {of_data[0]}x{of_data[1]}"
        f": layer {grids}. If the network takes other sizes, --image-size {_rounded(of_data[0])}x"
        f"{_rounded(of_data[1])} says more"
    ]


def _rounded(pixels: int) -> int:
    """Next multiple of 32, which most networks divide images by."""
    return -(-pixels // 32) * 32


class FreeSize(passes.FunctionalPass):
    """Take away the size that a graph declares for its images, and the shapes that were derived from it.

    Parameters
    ----------
    image : ImageInput
        Its image input.
    """

    def __init__(self, image: ImageInput) -> None:
        super().__init__()
        self.image = image

    def requires(self, model: ir.Model) -> None:
        """Check that the image input is one of the graph's inputs."""
        if self.image.name not in {value.name for value in model.graph.inputs}:
            raise passes.PreconditionError(f"no input {self.image.name!r}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Free the size on a clone."""
        clone = model.clone()
        axes = [self.image.layout.index(letter) for letter in "HW"]
        for value in clone.graph.inputs:
            if value.name == self.image.name and value.shape is not None:
                value.shape = ir.Shape([None if i in axes else dim for i, dim in enumerate(value.shape)])
        for node in clone.graph.all_nodes():
            for value in node.outputs:
                value.shape = None
        return passes.PassResult(clone, modified=True)

    def ensures(self, model: ir.Model) -> None:
        """Check that height and width of the image input have no number."""
        image = next(value for value in model.graph.inputs if value.name == self.image.name)
        if image.shape is not None and any(
            isinstance(image.shape[self.image.layout.index(letter)], int) for letter in "HW"
        ):
            raise passes.PostconditionError("the size is still declared")


def free_size(
    model: ir.Model, path: Path, image: ImageInput, listing: Listing, declared: Size, wanted: Size
) -> tuple[ir.Model, ImageInput]:
    """Take the declared size of images away.

    Parameters
    ----------
    model : onnx_ir.Model
        The network.
    path : Path
        Its file.
    image : ImageInput
        Its image input.
    listing : Listing
        Its layers at the declared size.
    declared : (int, int)
        (height, width) it was inspected with.
    wanted : (int, int)
        (height, width) it is to run at.

    Returns
    -------
    model : onnx_ir.Model
        A clone that takes images of the wanted size.
    image : ImageInput
        Its image input.

    Raises
    ------
    ImageInputError
        If the network needs the declared size.
    """
    freed = FreeSize(image)(model).model
    freed_image = replace(image, size=None)
    _check_outputs(model, freed, path, image, declared, wanted)
    try:
        found = probe(freed, path.parent, freed_image, wanted)
    except ModelTimeoutError:
        raise
    except ModelRuntimeError as error:
        cause = error.__cause__ or error
        raise _needed(path, declared, wanted, f"another one fails in it: {_short(cause)}") from error
    later = {layer.name: layer.grid for layer in list_layers(freed.graph, freed_image, found).layers}
    for layer in listing.layers:
        if layer.layout in ("NCHW", "NHWC", "NTC", "TNC") and layer.grid != (1, 1):
            _check_follows(path, layer.name, layer.grid, later.get(layer.name), declared, wanted)
    freed.graph.meta[FREED_SIZE] = declared
    return freed, freed_image


def _check_outputs(
    model: ir.Model, freed: ir.Model, path: Path, image: ImageInput, declared: Size, wanted: Size
) -> None:
    if random_nodes(model.graph):
        return  # nothing to compare; opening a session says more
    images = random_images(image.shape(image.batch or 1, declared), image.dtype)
    before, after = (open_runtime(one, folder=path.parent, optimise="none") for one in (model, freed))
    names = [name_of(value) for value in model.graph.outputs if name_of(value) in before.dtypes]
    for name, one, other in zip(
        names, before({image.name: images}, names), after({image.name: images}, names), strict=True
    ):
        if not same_output(other, one, ROUNDING):
            raise _needed(path, declared, wanted, f"its output {name!r} changes without the declaration")


def _check_follows(
    path: Path, name: str, before: Size, after: Size | None, declared: Size, wanted: Size
) -> None:
    """Refuse maps that keep their size, or a part of it, whatever the image's."""
    expected = [cells * want / had for cells, want, had in zip(before, wanted, declared, strict=True)]
    if after == before and any(abs(b - e) > 1 + 0.1 * e for b, e in zip(before, expected, strict=True)):
        raise _needed(
            path,
            declared,
            wanted,
            f"{name!r} keeps its {before[0]} x {before[1]} cells whatever the image's size: "
            "a size is stored in the graph before it",
        )
    if after is None or any(abs(a - e) > 1 + 0.1 * e for a, e in zip(after, expected, strict=True)):
        said = "no map" if after is None else f"{after[0]} x {after[1]} cells"
        raise _needed(
            path,
            declared,
            wanted,
            f"{name!r} would have {said}, where {round(expected[0])} x {round(expected[1])} would follow "
            f"from its {before[0]} x {before[1]} at the declared size",
        )


def _needed(path: Path, declared: Size, wanted: Size, reason: str) -> ImageInputError:
    return ImageInputError(
        f"{path.name} takes images of {declared[0]} x {declared[1]} pixels, not {wanted[0]} x {wanted[1]}: "
        f"{reason}",
        hint=f"leave --image-size out, or export the network for {wanted[0]} x {wanted[1]}",
    )


def _short(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
