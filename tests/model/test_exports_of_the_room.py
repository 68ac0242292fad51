"""What the ONNX side offers, and what it costs to look at it."""

from __future__ import annotations

import subprocess
import sys

import onnxdissect.model as public


def test_all_is_what_is_public() -> None:
    assert dir(public) == sorted(public.__all__)
    for name in public.__all__:
        assert getattr(public, name) is not None


def test_names_for_the_command_line_load_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from onnxdissect.model import PRESETS, PROVIDERS, Layer, installed_wheels\n"
        "installed_wheels()\n"
        "print(sorted({'cv2', 'numpy', 'onnx', 'onnx_ir', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
