from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from onnxdissect import errors
from onnxdissect.errors import LayerNotFoundError, nearest, shortened

BROKEN_OPENCV = "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')\n"


def test_the_hierarchy_in_the_docstring_is_the_hierarchy() -> None:
    tree = errors.__doc__ or ""
    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type):
            assert f"{name} " in tree or f"{name}\n" in tree, f"{name} is missing in the tree"
            assert issubclass(kind, errors.OnnxDissectError)


def test_errors_survive_the_way_between_processes() -> None:
    error = LayerNotFoundError("no layer 'x'", candidates=["relu1"], hint="onnxdissect layers MODEL")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is LayerNotFoundError
    assert str(again) == str(error) == "no layer 'x'\ncandidates: relu1\nhint: onnxdissect layers MODEL"


def test_messages_are_as_long_as_somebody_reads() -> None:
    names = [f"value{i}" for i in range(20_000)]
    error = LayerNotFoundError("no layer among " + ", ".join(names), candidates=names, hint=" ".join(names))
    assert len(str(error)) < 8_000
    assert str(error).startswith("no layer among value0, ")
    assert "value19999\ncandidates: value0, " in str(error)
    assert "value19 and 19,980 more\nhint: value0 " in str(error)
    assert error.candidates == tuple(names)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    long = LayerNotFoundError("no layer", candidates=["n" * 100_000] * 30)
    assert len(str(long)) < 8_000
    plain = "x" * 3_000
    assert shortened(plain) == plain
    assert shortened(plain + "yz").startswith("x" * 2_213 + " ... (52 characters) ... x")
    assert len(shortened(plain * 1000)) <= 3_000


@pytest.mark.parametrize(
    ("name", "expected"),
    [("rellu2", "relu2"), ("RELU1", "relu1"), ("block", "layer4/block.1"), ("zzz", None)],
)
def test_nearest_names(name: str, expected: str | None) -> None:
    found = nearest(name, ["relu1", "relu2", "conv1", "layer4/block.1"])
    assert (found[0] if found else None) == expected


def test_opencv_without_libgl_names_both_ways_out(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(BROKEN_OPENCV)
    code = "import sys; sys.path.insert(0, sys.argv[1]); from onnxdissect.__main__ import main; main()"
    said = subprocess.run(
        [sys.executable, "-c", code.replace("sys.argv[1]", repr(str(tmp_path))), "data", "check", "tiny"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "XDG_CACHE_HOME": str(tmp_path)},
    )
    assert said.returncode == 2
    assert "libGL.so.1" in said.stderr
    assert "apt-get install libgl1" in said.stderr
    assert "opencv-python-headless" in said.stderr
    assert "Traceback" not in said.stderr
