"""Export from PyTorch, by both of its exporters: `python models/export/from_pytorch.py`.

- `pytorch_torchscript.onnx` and `pytorch_dynamo.onnx`: the shared residual network, one by the exporter that
  traces (`dynamo=False`), one by the exporter that captures (`dynamo=True`);
- `pytorch_vit.onnx` and `pytorch_vit_torchscript.onnx`: a vision transformer with a class token, tokens
  (N, T, C), by the one and the other;
- `pytorch_pyramid.onnx`: a detector with a feature pyramid, classes and boxes per level as outputs.

Needs torch and onnxscript. Activations are what forward hooks see.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from pytorch_networks import Pyramid, SmallResidual, VisionTransformer
from recording import Hook, output_folder, pictures, record
from shared_network import SIZE, make_weights, prepare
from torch import nn

OPSET = 18


def hooked(
    network: nn.Module, image: torch.Tensor, names: list[str]
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Run a network with forward hooks.

    Parameters
    ----------
    network : nn.Module
    image : Tensor
        A prepared batch.
    names : list of str
        Modules to listen to.

    Returns
    -------
    outputs, activations : list of ndarray
    """
    seen: dict[str, NDArray[np.float32]] = {}

    def listen(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, given: object, result: torch.Tensor) -> None:
            seen[name] = result.detach().numpy().copy()

        return hook

    handles = [network.get_submodule(name).register_forward_hook(listen(name)) for name in names]
    with torch.no_grad():
        result = network(image)
    for handle in handles:
        handle.remove()
    results = result if isinstance(result, tuple) else (result,)
    return [r.numpy() for r in results], [seen[name] for name in names]


def export(network: nn.Module, image: torch.Tensor, path: Path, outputs: list[str], *, dynamo: bool) -> None:
    """Write a network with a free batch dimension.

    Parameters
    ----------
    network : nn.Module
    image : Tensor
        An example batch.
    path : Path
        The file.
    outputs : list of str
        Names of the outputs.
    dynamo : bool
        Which exporter.
    """
    common = {"input_names": ["image"], "output_names": outputs, "opset_version": OPSET}
    if dynamo:
        free = ({0: torch.export.Dim("batch")},)
        program = torch.onnx.export(
            network, (image,), dynamo=True, dynamic_shapes=free, verbose=False, **common
        )
        program.save(path, external_data=False)
    else:
        axes = {name: {0: "batch"} for name in ["image", *outputs]}
        torch.onnx.export(network, (image,), path, dynamo=False, dynamic_axes=axes, **common)
    slim(path)


def slim(path: Path) -> None:
    """Drop the Python stack traces and source paths that the exporter leaves in every node.

    Parameters
    ----------
    path : Path
        The exported file, rewritten in place.
    """
    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
        value.doc_string = ""
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.save(model, path)


def make(
    network: nn.Module,
    path: Path,
    outputs: list[str],
    hooks: Sequence[Hook],
    *,
    dynamo: bool,
    size: int = SIZE,
) -> None:
    """Export a network and record what it computes.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    path : Path
        The file.
    outputs : list of str
        Names of the outputs.
    hooks : sequence of Hook
        Modules to listen to.
    dynamo : bool
        Which exporter.
    size : int
        Height and width of the images.
    """
    pixels = pictures((size, size))
    image = torch.from_numpy(prepare(pixels).transpose(0, 3, 1, 2).copy())
    export(network, image, path, outputs, dynamo=dynamo)
    results, activations = hooked(network, image, [hook.source for hook in hooks])
    record(
        path,
        recipe=Path(__file__).name,
        framework=f"torch {torch.__version__}",
        exporter=f"torch.onnx.export, dynamo={dynamo}, opset {OPSET}",
        preprocessing={"preset": "tf"},
        pixels=pixels,
        outputs=results,
        layers=list(zip(hooks, activations, strict=True)),
    )


def main() -> None:
    """Export all."""
    folder = output_folder(__doc__)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    small = SmallResidual(make_weights()).eval()
    residual = [Hook("block", "Relu", 2, "NCHW"), Hook("down_relu", "Relu", 3, "NCHW")]
    make(small, folder / "pytorch_torchscript.onnx", ["logits"], residual, dynamo=False)
    make(small, folder / "pytorch_dynamo.onnx", ["logits"], residual, dynamo=True)
    torch.manual_seed(1)
    transformer = VisionTransformer().eval()
    tokens = [Hook("patches", "Conv", 0, "NCHW"), Hook("blocks.0", "Add", 7, "NTC", skip=1)]
    make(transformer, folder / "pytorch_vit.onnx", ["logits"], tokens, dynamo=True)
    make(transformer, folder / "pytorch_vit_torchscript.onnx", ["logits"], tokens, dynamo=False)
    torch.manual_seed(2)
    levels = [f"{kind}_{level}" for level in ("p2", "p3", "p4") for kind in ("classes", "boxes")]
    scales = [Hook("c3", "Relu", 1, "NCHW"), Hook("smooth2", "Conv", 6, "NCHW")]
    make(Pyramid().eval(), folder / "pytorch_pyramid.onnx", levels, scales, dynamo=True, size=48)


if __name__ == "__main__":
    main()
