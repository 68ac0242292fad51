"""Export from TensorFlow Lite through tf2onnx: `python models/export/from_tflite.py`.

- `tflite.onnx`: the shared residual network for single images, as the converter writes it by default;
- `tflite_int8.onnx`: the same, quantised to int8 with bytes in and out.

Needs tensorflow and tf2onnx. Activations are the interpreter's own tensors.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from keras_networks import small_residual
from numpy.typing import NDArray
from recording import Hook, output_folder, pictures, record
from shared_network import SIZE, make_weights, prepare

OPSET = 17


def convert(*, quantised: bool) -> bytes:
    """Write the shared network as TensorFlow Lite does.

    Parameters
    ----------
    quantised : bool
        Whether to int8, with the ranges of pictures drawn for it.

    Returns
    -------
    bytes
        A flatbuffer.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(small_residual(make_weights(), batch=1))
    if quantised:

        def examples() -> Iterator[list[NDArray[np.float32]]]:
            for image in prepare(pictures((SIZE, SIZE), count=32, seed=8)):
                yield [image[None]]

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    flat: bytes = converter.convert()
    return flat


def interpret(
    flat: bytes, images: NDArray[Any], names: Sequence[str]
) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    """Run images one by one and read tensors off the interpreter.

    Parameters
    ----------
    flat : bytes
        The flatbuffer.
    images : ndarray
        As the network takes them.
    names : sequence of str
        What the tensors' names begin with, after the name of the network.

    Returns
    -------
    output : ndarray
        As the network gives it.
    tensors : list of ndarray
        Quantised ones as the numbers they stand for.
    """
    interpreter = tf.lite.Interpreter(
        model_content=flat,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    details = interpreter.get_tensor_details()
    # a fused activation has the longest name, which begins with the last operation in it
    wanted = [
        next(d for d in details if d["name"].partition("/")[2].startswith(name) and len(d["shape"]) == 4)
        for name in names
    ]
    (image,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs: list[NDArray[Any]] = []
    seen: list[list[NDArray[Any]]] = [[] for _ in names]
    for single in images:
        interpreter.set_tensor(image["index"], single[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(output["index"]))
        for tensors, detail in zip(seen, wanted, strict=True):
            tensor = interpreter.get_tensor(detail["index"])
            scale, zero = detail["quantization"]
            real = (tensor.astype(np.float32) - zero) * np.float32(scale) if scale else tensor
            tensors.append(real)
    return np.concatenate(outputs), [np.concatenate(tensors) for tensors in seen]


def make(path: Path, *, quantised: bool) -> None:
    """Export and record.

    Parameters
    ----------
    path : Path
        The file.
    quantised : bool
        Whether to int8.
    """
    pixels = pictures((SIZE, SIZE))
    images = pixels if quantised else prepare(pixels)
    flat = convert(quantised=quantised)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.tflite"
        file.write_bytes(flat)
        model, _ = tf2onnx.convert.from_tflite(str(file), opset=OPSET)
    onnx.save(model, path)
    op = "DequantizeLinear" if quantised else "Relu"
    # weights are dequantised first, then every layer
    block, down = (16, 17) if quantised else (2, 3)
    hooks = [Hook("block_1/Relu", op, block, "NHWC"), Hook("down_relu_1/Relu", op, down, "NHWC")]
    output, seen = interpret(flat, images, [hook.source for hook in hooks])
    record(
        path,
        recipe=Path(__file__).name,
        framework=f"tensorflow lite {tf.__version__}",
        exporter=f"tf2onnx {tf2onnx.__version__}, opset {OPSET}",
        preprocessing={"preset": "raw" if quantised else "tf"},
        pixels=pixels,
        outputs=[output],
        layers=list(zip(hooks, seen, strict=True)),
        # TensorFlow Lite rounds products of integers, ONNX quotients of real numbers: steps of 1/255 apart
        tolerance=3 / 255 if quantised else 1e-5,
    )


def main() -> None:
    """Export both."""
    folder = output_folder(__doc__)
    make(folder / "tflite.onnx", quantised=False)
    make(folder / "tflite_int8.onnx", quantised=True)


if __name__ == "__main__":
    main()
