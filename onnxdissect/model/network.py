"""A network: an ONNX file, read and inspected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray

from onnxdissect.errors import ImageInputError, ModelRuntimeError, ModelTimeoutError, ParameterError
from onnxdissect.model.graph import name_of
from onnxdissect.model.layers.listing import Listing, list_layers
from onnxdissect.model.layers.records import ImageInput, Layer
from onnxdissect.model.layers.selection import select_layers
from onnxdissect.model.layout.overrides.contradictions import refuse_contradictions
from onnxdissect.model.layout.overrides.layout_overrides import read_layouts
from onnxdissect.model.operators.lookup import added_operators
from onnxdissect.model.operators.table import OperatorTable
from onnxdissect.model.preprocessing.image_input import check_input_size, find_image_input, known_size
from onnxdissect.model.reading.batch_axis import AddBatchAxis, find_picture
from onnxdissect.model.reading.bound_inputs import BindInputs, binding_json, read_bindings
from onnxdissect.model.reading.frame_axis import DropFrameAxis, find_video
from onnxdissect.model.reading.model_file import read_model
from onnxdissect.model.reading.shape_probe import probe
from onnxdissect.model.runtime.inference import CUSTOM_OPS
from onnxdissect.model.runtime.time_limit import PROBE_LIMIT, PROBE_SECONDS, check_seconds
from onnxdissect.model.runtime.trial import working_size
from onnxdissect.model.surgery.free_size import free_size
from onnxdissect.storage.memory import explained_memory

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
    bindings : dict of str to ndarray
        Values of the inputs beside the image.
    layouts : dict of str to str
        Layouts that were stated, by what they were stated for.
    custom_ops : tuple of Path
        Libraries of operators that onnxruntime lacks.
    model : onnx_ir.Model
        The graph, with what is bound stored in it; clone it before changing it.
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
    bindings: dict[str, NDArray[Any]] = field(repr=False, compare=False)
    layouts: dict[str, str]
    custom_ops: tuple[Path, ...]
    model: ir.Model = field(repr=False, compare=False)
    listing: Listing = field(repr=False, compare=False)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers in topological order."""
        return self.listing.layers

    def stated(self) -> dict[str, object]:
        """Say what the caller stated about the model, as JSON values: it decides what is computed.

        Returns
        -------
        dict
            ``bind``, ``layouts`` and ``custom_ops``, each empty where nothing was, and ``operators`` where
            the graph holds some that were registered.
        """
        added = {operator.label: operator.to_json() for operator in added_operators(self.model.graph)}
        return {
            "bind": {name: binding_json(array) for name, array in sorted(self.bindings.items())},
            "layouts": dict(sorted(self.layouts.items())),
            "custom_ops": [library.name for library in self.custom_ops],
            **({"operators": added} if added else {}),
        }

    def select(self, selectors: Sequence[str]) -> tuple[Layer, ...]:
        """Choose layers.

        Parameters
        ----------
        selectors : sequence of str
            Each an exact value name, "stages", "last", "neck", "heads", "all", a node name, an alias or
            a glob.

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


@explained_memory()
def load_network(
    path: str | Path,
    *,
    image_size: tuple[int, int] | None = None,
    default_size: tuple[int, int] = (DEFAULT_SIZE, DEFAULT_SIZE),
    bind: Mapping[str, ArrayLike | str] | None = None,
    layouts: Mapping[str, str] | None = None,
    custom_ops: Sequence[str | Path] = (),
    operators: OperatorTable | None = None,
    probe_timeout: float = PROBE_SECONDS,
) -> Network:
    """Read and inspect an ONNX file.

    Parameters
    ----------
    path : str or Path
        The file.
    image_size : (int, int), optional
        (height, width) to run at. A size that the graph declares without needing it is freed, and that is
        verified.
    default_size : (int, int)
        (height, width) for dimensions that the graph leaves free, where no size is asked for.
    bind : mapping of str to array_like or str, optional
        Values of the inputs beside the image; see `onnxdissect.model.reading.bound_inputs.read_bindings`.
    layouts : mapping of str to str, optional
        Layouts of values, or of the image input, that the graph leaves open; see
        `onnxdissect.model.layout.overrides.layout_overrides.read_layouts`.
    custom_ops : sequence of str or Path
        Shared libraries of operators that onnxruntime lacks.
    operators : OperatorTable, optional
        What operators mean, where some are added by `onnxdissect.register_operator`; by default what is built
        in and what installed packages register.
    probe_timeout : float
        Seconds that the network may take whenever it is run to learn of it, one call at a time: for its
        shapes, for verifying what is done to it, for measuring where cells respond. Infinity for no limit.

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
    ModelTimeoutError
        If running it takes longer than `probe_timeout`.
    ImageInputError
        If it has no input that images fit, insists on another size than `image_size`, or declares one, or a
        batch, that is too large.
    InstallationError
        If what a package registers for an operator of the graph does not load.
    ParameterError
        If `image_size` is not positive or too large, a value does not fit the input it is bound to, a layout
        cannot be understood, or there is no such library.
    LayerNotFoundError, LayerLayoutError
        If a layout is stated for no value of the network, or for one of another rank, or one that the graph
        contradicts.
    """
    if image_size is not None and min(image_size) < 1:
        raise ParameterError(f"an image size is positive, got {image_size[0]} x {image_size[1]}")
    check_seconds(probe_timeout)
    file = read_model(path, operators)
    model = file.model
    model.graph.meta[PROBE_LIMIT] = probe_timeout
    libraries = tuple(_library(library) for library in custom_ops)
    if libraries:
        model.graph.meta[CUSTOM_OPS] = libraries
    bound = read_bindings(model, bind or {})
    if bound:
        model = BindInputs(bound)(model).model
    stated = dict(layouts or {})
    picture = find_picture(model, stated)
    if picture is not None:
        model = AddBatchAxis(name_of(picture))(model).model
    if find_video(model) is not None:
        model = DropFrameAxis()(model).model
    image = _image_input(model, stated, bound)
    fixed = known_size(model, image)
    wished = image_size or default_size
    size = fixed[0] or wished[0], fixed[1] or wished[1]
    check_input_size(image, size, asked=size == image_size)
    check_input_size(image, image_size or size, asked=True)
    try:
        found = probe(model, file.path.parent, image, size)
    except ModelTimeoutError:
        raise
    except ModelRuntimeError as error:
        runs = working_size(model, file.path.parent, image, size)
        hint = error.hint if runs is None else f"it runs at --image-size {runs[0]}x{runs[1]}"
        raise ModelRuntimeError(error.message, hint=hint) from error
    listing = list_layers(model.graph, image, found)
    if image_size is not None and image_size != size:
        model, image = free_size(model, file.path, image, listing, size, image_size)
        size = image_size
        found = probe(model, file.path.parent, image, size)
        listing = list_layers(model.graph, image, found)
    of_values = {name: layout for name, layout in stated.items() if name != image.name}
    if of_values:
        given = read_layouts(of_values, model.graph, listing)
        followed = list_layers(model.graph, image, found, given)
        refuse_contradictions(model.graph, given, listing, followed)
        listing = followed
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
        bindings=bound,
        layouts=stated,
        custom_ops=libraries,
        model=model,
        listing=listing,
    )


def _image_input(model: ir.Model, stated: Mapping[str, str], bound: Mapping[str, NDArray[Any]]) -> ImageInput:
    try:
        return find_image_input(model, stated)
    except ImageInputError as error:
        taken = [name for name, value in bound.items() if value.ndim == 4]
        if not taken:
            raise
        raise ParameterError(
            f"{taken[0]!r} is given a value, and no other input takes the images",
            hint=f"leave --bind {taken[0]} out",
        ) from error


def _library(path: str | Path) -> Path:
    library = Path(path).absolute()
    if not library.is_file():
        raise ParameterError(
            f"there is no library {path}", hint="--custom-ops takes the path of a shared library (.so, .dll)"
        )
    return library
