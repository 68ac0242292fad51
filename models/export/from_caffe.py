"""Make a Caffe network and turn it into ONNX: `python models/export/from_caffe.py`.

- `caffe.prototxt`, `caffe.caffemodel`: a network of the layers that Caffe's zoo is made of;
- `caffe.onnx`: what `caffe_to_onnx.py` makes of them.

Caffe itself is no longer distributed. Needs OpenCV 4 (`opencv-python<5`), whose own Caffe reader and own
layers compute what is recorded; without it (OpenCV 5 has no such reader) the recipe stops.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
from caffe_to_onnx import convert_files
from caffe_wire import write_blobs
from numpy.typing import NDArray
from recording import Hook, output_folder, pictures, record

Array = NDArray[np.float32]

SIZE = 34
# of blue, green and red, as Caffe's own zoo has it
MEAN = (103.939, 116.779, 123.68)

PROTOTXT = """\
name: "small_caffe"
input: "data"
input_shape { dim: 1 dim: 3 dim: 34 dim: 34 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 12 kernel_size: 5 stride: 2 pad: 1 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "norm1" type: "LRN" bottom: "conv1" top: "norm1"
  lrn_param { local_size: 5 alpha: 0.001 beta: 0.75 } }
layer { name: "pool1" type: "Pooling" bottom: "norm1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 } }  # 16 cells: the last window is cut short
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 12 kernel_h: 3 kernel_w: 3 pad_h: 1 pad_w: 1 group: 2 bias_term: false } }
layer { name: "bn2" type: "BatchNorm" bottom: "conv2" top: "conv2"
  batch_norm_param { use_global_stats: true } }
layer { name: "scale2" type: "Scale" bottom: "conv2" top: "conv2" scale_param { bias_term: true } }
layer { name: "prelu2" type: "PReLU" bottom: "conv2" top: "conv2" }
layer { name: "sum2" type: "Eltwise" bottom: "pool1" bottom: "conv2" top: "sum2"
  eltwise_param { operation: SUM coeff: 1 coeff: 0.5 } }
layer { name: "branch3a" type: "Convolution" bottom: "sum2" top: "branch3a"
  convolution_param { num_output: 8 kernel_size: 3 pad: 2 dilation: 2 } }
layer { name: "branch3b" type: "Pooling" bottom: "sum2" top: "branch3b"
  pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "join3" type: "Concat" bottom: "branch3a" bottom: "branch3b" top: "join3" }
layer { name: "relu3" type: "ReLU" bottom: "join3" top: "join3" relu_param { negative_slope: 0.1 } }
layer { name: "pool3" type: "Pooling" bottom: "join3" top: "pool3"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 } }
layer { name: "fc4" type: "InnerProduct" bottom: "pool3" top: "fc4" inner_product_param { num_output: 10 } }
layer { name: "relu4" type: "ReLU" bottom: "fc4" top: "fc4" }
layer { name: "drop4" type: "Dropout" bottom: "fc4" top: "fc4" dropout_param { dropout_ratio: 0.5 } }
layer { name: "fc5" type: "InnerProduct" bottom: "fc4" top: "fc5" inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "fc5" top: "prob" }
"""


def draw_weights(seed: int = 6) -> dict[str, tuple[str, list[Array]]]:
    """Draw the weights.

    Parameters
    ----------
    seed : int
        What they are drawn by.

    Returns
    -------
    dict of str to (str, list of ndarray)
        Per layer its type and blobs in Caffe's shapes.
    """
    random = np.random.default_rng(seed)

    def normal(scale: float, *shape: int) -> Array:
        return (scale * random.standard_normal(shape)).astype(np.float32)

    # the first one takes pixels in 0..255
    return {
        "conv1": ("Convolution", [normal(0.004, 12, 3, 5, 5), normal(0.1, 12)]),
        "conv2": ("Convolution", [normal(0.2, 12, 6, 3, 3)]),
        "bn2": ("BatchNorm", [normal(50, 12), 500 + 100 * normal(1, 12), np.array([1000], np.float32)]),
        "scale2": ("Scale", [1 + normal(0.1, 12), normal(0.1, 12)]),
        "prelu2": ("PReLU", [0.25 + normal(0.1, 12)]),
        "branch3a": ("Convolution", [normal(0.15, 8, 12, 3, 3), normal(0.1, 8)]),
        "fc4": ("InnerProduct", [normal(0.04, 10, 320), normal(0.1, 10)]),
        "fc5": ("InnerProduct", [normal(0.2, 5, 10), normal(0.1, 5)]),
    }


def main() -> None:
    """Make the network, convert it and record what OpenCV computes."""
    folder = output_folder(__doc__)
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise SystemExit(f"OpenCV {cv2.__version__} does not read Caffe networks; opencv-python<5 does")
    prototxt, caffemodel, path = (folder / f"caffe.{kind}" for kind in ("prototxt", "caffemodel", "onnx"))
    prototxt.write_text(PROTOTXT, encoding="utf-8")
    caffemodel.write_bytes(write_blobs("small_caffe", draw_weights()))
    onnx.save(convert_files(prototxt, caffemodel, mean=MEAN), path)
    pixels = pictures((SIZE, SIZE))
    image = (pixels[..., ::-1].astype(np.float64) - MEAN).astype(np.float32).transpose(0, 3, 1, 2)
    network = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    network.enableFusion(False)
    network.enableWinograd(False)
    network.setInput(np.ascontiguousarray(image))
    hooks = [
        Hook("norm1", "LRN", 0, "NCHW"),
        Hook("sum2", "Add", 1, "NCHW"),
        Hook("relu3", "LeakyRelu", 0, "NCHW"),
    ]
    *seen, probabilities = network.forward([*(hook.source for hook in hooks), "prob"])
    record(
        path,
        recipe=Path(__file__).name,
        framework=f"caffe, as OpenCV {cv2.__version__} computes it",
        exporter="models/export/caffe_to_onnx.py",
        preprocessing={},
        pixels=pixels,
        outputs=[probabilities],
        layers=list(zip(hooks, seen, strict=True)),
    )


if __name__ == "__main__":
    main()
