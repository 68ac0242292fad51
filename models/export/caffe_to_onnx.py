"""Turn a Caffe network into ONNX: `python models/export/caffe_to_onnx.py deploy.prototxt net.caffemodel`.

Needs NumPy and onnx, and nothing of Caffe. What the network expects of its pixels is in neither file; give
it here, and it is stored where onnxdissect reads it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import onnx
from caffe_graph import convert
from caffe_text import parse_architecture
from caffe_wire import CaffeError, read_blobs

__all__ = ["convert_files", "main"]


def convert_files(
    prototxt: Path,
    caffemodel: Path,
    *,
    mean: Sequence[float] = (),
    scale: float = 1.0,
    channels: str = "bgr",
) -> onnx.ModelProto:
    """Read both files and convert the network.

    Parameters
    ----------
    prototxt, caffemodel : Path
        The files.
    mean : sequence of float
        What is subtracted from each channel, in the network's order; none stores no preprocessing.
    scale : float
        What the difference is multiplied by.
    channels : {"bgr", "rgb"}
        The network's order.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    CaffeError
        If a file is damaged, or a layer is not converted.
    """
    architecture = parse_architecture(prototxt.read_text(encoding="utf-8"))
    metadata = {}
    if mean:
        # (pixel - mean) * scale, said as (pixel * 1 - mean) / std
        stored = {"mean": list(mean), "std": [1 / scale] * len(mean), "scale": 1, "channels": channels}
        metadata["onnxdissect.preprocessing"] = json.dumps(stored)
    return convert(architecture, read_blobs(caffemodel.read_bytes()), metadata)


def main() -> int:
    """Read the command line, convert and write.

    Returns
    -------
    int
        0, or 2 if the network cannot be converted.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("prototxt", type=Path, help="the architecture, for deployment")
    parser.add_argument("caffemodel", type=Path, help="the weights")
    parser.add_argument(
        "--mean", type=float, nargs="+", default=(), help="per channel, in the network's order"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="factor after the mean is subtracted")
    parser.add_argument("--channels", choices=("bgr", "rgb"), default="bgr")
    parser.add_argument("--out", type=Path, help="by default beside the weights")
    given = parser.parse_args()
    target = given.out or given.caffemodel.with_suffix(".onnx")
    try:
        model = convert_files(
            given.prototxt, given.caffemodel, mean=given.mean, scale=given.scale, channels=given.channels
        )
    except (CaffeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    onnx.save(model, target)
    print(f"wrote {target}: {len(model.graph.node)} nodes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
