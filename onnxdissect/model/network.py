"""A network: an ONNX file, read and inspected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx_ir as ir

from onnxdissect.errors import ParameterError
from onnxdissect.model.graph import name_of
from onnxdissect.model.image import find_image_input, known_size
from onnxdissect.model.layers import ImageInput, Layer
from onnxdissect.model.listing import Listing, list_layers
from onnxdissect.model.modelfile import read_model
from onnxdissect.model.probe import probe
from onnxdissect.model.select import select_layers

__all__ = ["DEFAULT_SIZE", "Network", "load_network"]

DEFAULT_SIZE = 224
"""Height and width for graphs that take any, unless the caller knows better."""


@dataclass(frozen=True, slots=True)
class Network:
    """A loaded, inspected model file; immutable.

    Attributes
    ----------
    path : Path
        The file.
    sha256 : str
        Of its bytes.
    producer : str
        Name and version of the exporter, "" where the file names none.
    opset : dict of str to int
        Opset version per domain; ONNX's own is "ai.onnx".
    ir_version : int
        Version of the file format.
    metadata : dict of str to str
        The file's metadata properties.
    input : ImageInput
        The image input.
    outputs : tuple of str
        The file's outputs.
    size : (int, int)
        (height, width) the network was inspected with.
    layers : tuple of Layer
        What can be dissected, in topological order.
    model : onnx_ir.Model
        The graph; clone it before changing it.
    listing : Listing
        Layers, their copies, and why other values are none.
    """

    path: Path
    sha256: str
    producer: str
    opset: dict[str, int]
    ir_version: int
    metadata: dict[str, str]
    input: ImageInput
    outputs: tuple[str, ...]
    size: tuple[int, int]
    model: ir.Model = field(repr=False, compare=False)
    listing: Listing = field(repr=False, compare=False)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers in topological order."""
        return self.listing.layers

    def select(self, selectors: Sequence[str]) -> tuple[Layer, ...]:
        """Choose layers.

        Parameters
        ----------
        selectors : sequence of str
            Each an exact value name, "stages", "last", "all", a node name, an alias or a glob.

        Returns
        -------
        tuple of Layer
            In topological order, each once.

        Raises
        ------
        ParameterError
            If there is no selector.
        LayerNotFoundError
            If a selector matches nothing; the nearest names are listed.
        LayerLayoutError
            If a selector names a value that has no units to dissect.
        """
        return select_layers(self.listing, selectors, str(self.path))


def load_network(path: str | Path, *, image_size: tuple[int, int] | None = None) -> Network:
    """Read and inspect an ONNX file.

    Parameters
    ----------
    path : str or Path
        The file.
    image_size : (int, int), optional
        (height, width) for dimensions that the graph leaves free, 224 by default; fixed ones stay.

    Returns
    -------
    Network

    Raises
    ------
    ModelNotFoundError
        If there is no file at the path.
    ModelFormatError
        If it is not a complete ONNX model, or its external data are missing, short or elsewhere.
    ModelRuntimeError
        If onnxruntime cannot load or run it; an operator it lacks is named.
    ImageInputError
        If it has no input that images fit.
    ParameterError
        If `image_size` is not positive.
    """
    if image_size is not None and min(image_size) < 1:
        raise ParameterError(f"an image size is positive, got {image_size[0]} x {image_size[1]}")
    file = read_model(path)
    model = file.model
    image = find_image_input(model)
    fixed = known_size(model, image)
    wished = image_size or (DEFAULT_SIZE, DEFAULT_SIZE)
    size = fixed[0] or wished[0], fixed[1] or wished[1]
    found = probe(model, file.path.parent, image, size)
    return Network(
        path=file.path,
        sha256=file.sha256,
        producer=" ".join(part for part in (model.producer_name, model.producer_version) if part),
        opset={domain or "ai.onnx": version for domain, version in sorted(model.opset_imports.items())},
        ir_version=model.ir_version,
        metadata=dict(model.metadata_props),
        input=image,
        outputs=tuple(name_of(value) for value in model.graph.outputs),
        size=size,
        model=model,
        listing=list_layers(model.graph, image, found),
    )
