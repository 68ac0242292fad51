"""What a network takes for a picture: types, sizes, layouts; and its further outputs and operators."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support import models
from support.commands import run_command
from support.models import Builder, images, save
from support.networks import load
from support.small_runs import SIZE, broden

from onnxdissect.errors import ImageInputError, ModelRuntimeError, ParameterError
from onnxdissect.model import Network, Preparer, choose_preprocessing, open_session

# ---------------------------------------------------------------------------------------- pictures


def activations(network: Network, picture: Any) -> Any:
    """What a run computes of one picture."""
    prepare = Preparer(choose_preprocessing(network), network.input, network.size)
    batch = np.empty((1, *prepare.shape), prepare.dtype)
    prepare(picture, batch[0])
    return open_session(network, network.select(["relu"]), verify=batch)(batch)[0]


def test_pixels_that_the_graph_prepares_itself(tmp_path: Path) -> None:
    """uint8 in, (x / 255 - mean) / std inside; the same network without that gives the same maps."""
    mean, std = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))

    def build(inside: bool) -> onnx.ModelProto:
        b = Builder(("N", 8, 8, 3) if inside else ("N", 3, 8, 8), dtype=np.uint8 if inside else np.float32)
        b.dtype = np.dtype(np.float32)
        x = b.image
        if inside:
            x = b.node("Transpose", b.node("Cast", x, to=TensorProto.FLOAT), perm=(0, 3, 1, 2))
            x = b.node("Div", x, b.constant(255))
            x = b.node("Sub", x, b.constant(mean.reshape(3, 1, 1)))
            x = b.node("Div", x, b.constant(std.reshape(3, 1, 1)))
        b.units[x] = 3
        return b.model(b.relu(b.conv(x, 4, name="conv"), name="relu"))

    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    network = load(build(inside=True), tmp_path)
    assert (network.input.layout, network.input.dtype) == ("NHWC", "uint8")
    maps = activations(network, picture)
    np.testing.assert_allclose(
        maps, activations(load(build(inside=False), tmp_path), picture), rtol=1e-4, atol=1e-4
    )


def centred(by: Callable[[Builder, str], str]) -> onnx.ModelProto:
    b = Builder(("N", 3, 8, 8))
    x = by(b, b.image)
    b.units[x] = 3
    return b.model(b.relu(b.conv(x, 4)))


@pytest.mark.parametrize(
    ("by", "name", "source"),
    [
        (lambda b, x: b.node("Mul", x, b.constant(1 / 255)), "raw", "read off the graph"),
        (lambda b, x: b.node("Sub", x, b.constant(np.full((3, 1, 1), 120))), "raw", "read off the graph"),
        (
            lambda b, x: b.node("Sub", b.node("Div", x, b.constant(127.5)), b.constant(1)),
            "raw",
            "read off the graph",
        ),
        (
            lambda b, x: b.node(
                "BatchNormalization", x, *(b.constant(np.full(3, v)) for v in (1, 0, 110, 3600))
            ),
            "raw",
            "read off the graph",
        ),
        (
            lambda b, x: b.node("Div", b.node("Sub", x, b.constant(0.45)), b.constant(0.225)),
            "unit",
            "read off the graph",
        ),
        (
            lambda b, x: b.node("Sub", b.node("Mul", x, b.constant(2)), b.constant(1)),
            "unit",
            "read off the graph",
        ),
        (lambda b, x: b.node("Mul", x, b.constant(2)), "imagenet", "assumed"),
        (lambda b, x: b.node("Sub", b.constant(1), x), "unit", "read off the graph"),
        (lambda b, x: b.relu(x), "imagenet", "assumed"),
    ],
)
def test_float_pixels_that_the_graph_prepares_itself(
    tmp_path: Path, by: Callable[[Builder, str], str], name: str, source: str
) -> None:
    chosen = choose_preprocessing(load(centred(by), tmp_path))
    assert (chosen.name, chosen.source) == (name, source)


def test_what_is_asked_for_comes_before_what_is_read_off(tmp_path: Path) -> None:
    network = load(centred(lambda b, x: b.node("Mul", x, b.constant(1 / 255))), tmp_path)
    assert choose_preprocessing(network, preset="tf").source == "asked for"


def test_signed_bytes_are_pixels_less_128(tmp_path: Path) -> None:
    b = Builder(("N", 3, 8, 8), dtype=np.int8)
    b.dtype = np.dtype(np.float32)
    x = b.node("Cast", b.image, to=TensorProto.FLOAT)
    b.units[x] = 3
    network = load(b.model(b.relu(b.conv(x, 4, name="conv"), name="relu")), tmp_path)
    prepare = Preparer(choose_preprocessing(network), network.input, network.size)
    out = np.empty((3, 8, 8), np.int8)
    picture = np.full((8, 8, 3), 255, np.uint8)
    picture[0] = 0
    prepare(picture, out)
    assert (out[:, 0] == -128).all() and (out[:, 1:] == 127).all()


def test_an_exporter_that_names_its_convention(tmp_path: Path) -> None:
    model = models.plain()
    helper.set_model_props(model, {"author": "Ultralytics", "imgsz": "[640, 640]", "stride": "32"})
    chosen = choose_preprocessing(load(model, tmp_path))
    assert (chosen.name, chosen.source) == ("unit", "model metadata")


def test_grey_pictures(tmp_path: Path) -> None:
    """One channel: the picture's luminance."""
    b = Builder(("N", 1, 8, 8))
    x = b.relu(b.node("Conv", b.image, b.constant(np.ones((1, 1, 1, 1)))), name="relu")
    network = load(b.model(x), tmp_path)
    prepare = Preparer(choose_preprocessing(network, preset="unit"), network.input, network.size)
    batch = np.empty((1, *prepare.shape), prepare.dtype)
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 1] = 255
    prepare(picture, batch[0])
    (maps,) = open_session(network, network.select(["relu"]))(batch)
    np.testing.assert_allclose(maps, 0.587, atol=0.01)


@pytest.mark.parametrize(
    ("shape", "size", "expected"), [(("N", 3, "h", "w"), SIZE, 6), (("N", 3, 32, 32), 32, 16)]
)
def test_sizes_of_the_data_and_of_the_network(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int | str, ...],
    size: int,
    expected: int,
) -> None:
    """A free size takes the data's; to a fixed one images are resized."""
    monkeypatch.chdir(tmp_path)
    b = Builder(shape)
    save(b.model(b.head(b.relu(b.conv(b.image, 4, stride=2), name="relu"))), tmp_path / "net.onnx")
    broden(tmp_path / "data", 3, seed=7)
    quick = ("--no-report", "--bootstrap", 0, "--null", 0)
    assert run_command(monkeypatch, "run", "net.onnx", "--data", "data", *quick, "--out", "run") == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model"]["size"] == [size, size]
    assert manifest["layers"][0]["shape"] == [expected, expected]
    if "h" in shape:
        larger = ("--image-size", "24x20", "--out", "larger")
        assert run_command(monkeypatch, "run", "net.onnx", "--data", "data", *quick, *larger) == 0
        manifest = json.loads((tmp_path / "larger" / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["layers"][0]["shape"] == [12, 10]


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (("N", 4, 8, 8), "takes 4 channels"),
        (("N", 3, 8, 3), "dimensions 1 and 3 are both 3"),
        (("N", "a", "b", "c"), "no dimension is 1 or 3"),
    ],
)
def test_inputs_that_no_picture_fits(tmp_path: Path, shape: tuple[int | str, ...], said: str) -> None:
    b = Builder(shape)
    with pytest.raises(ImageInputError, match=said) as caught:
        load(b.model(b.relu(b.image)), tmp_path)
    if "4 channels" not in said:
        assert caught.value.candidates == ("NCHW", "NHWC")
        assert caught.value.hint == "--layout image=NCHW"


@pytest.mark.parametrize("layout", ["NCHW", "nhwc"])
def test_a_stated_layout_of_the_input(tmp_path: Path, layout: str) -> None:
    b = Builder(("N", 3, 8, 3))
    network = load(b.model(b.relu(b.image)), tmp_path, layouts={"image": layout})
    assert (network.input.layout, network.input.channels) == (layout.upper(), 3)
    with pytest.raises(ParameterError, match="cannot have the layout"):
        load(b.model(b.relu(b.image)), tmp_path, layouts={"image": "NTC"})


# -------------------------------------------------------------------------------------- several outputs


def detector() -> onnx.ModelProto:
    """A pyramid with a head on each level, and boxes chosen among all of them."""
    b = Builder(("N", 3, 16, 16))
    fine = b.relu(b.conv(b.image, 4, stride=2), name="fine")
    coarse = b.relu(b.conv(fine, 6, stride=2), name="coarse")
    lateral = b.conv(coarse, 4, 1, name="lateral")
    up = b.node("Resize", lateral, "", b.constant((1, 1, 2, 2), np.float32), mode="nearest")
    merged = b.node("Add", up, b.conv(fine, 4, 1), name="merged")
    b.units[merged] = 4
    rows = []
    for level in (merged, lateral):
        head = b.conv(level, 5, name=f"head_{level}")
        row = b.node("Reshape", head, b.constant((0, 5, -1), np.int64))
        rows.append(b.node("Transpose", row, perm=(0, 2, 1), name=f"row_{level}"))
    joined = b.node("Concat", *rows, axis=1, name="candidates")
    boxes, scores = b.nodes("Split", joined, b.constant((4, 1), np.int64), names=["boxes", "scores"], axis=2)
    turned = b.node("Transpose", scores, perm=(0, 2, 1))
    kept = b.node(
        "NonMaxSuppression",
        boxes,
        turned,
        b.constant(5, np.int64),
        b.constant((0.5,), np.float32),
        b.constant((0.0,), np.float32),
        name="kept",
    )
    return b.model("boxes", "scores", kept)


def test_layers_of_a_detector(tmp_path: Path) -> None:
    """Every level of the pyramid is a layer; rows of candidates of several levels are none."""
    network = load(detector(), tmp_path)
    assert network.outputs == ("boxes", "scores", "kept")
    layers = network.select(["fine", "coarse", "lateral", "merged", "head_*"])
    assert [layer.grid for layer in layers] == [(8, 8), (4, 4), (4, 4), (8, 8), (8, 8), (4, 4)]
    assert all(layer.receptive_field is not None for layer in layers)
    batch = images(network, 3)
    session = open_session(network, layers, verify=batch[:2])
    assert (session.fixed_batch, session.warnings) == (None, ())
    expected = models.run_whole(network.path, [layer.name for layer in layers], batch)
    for maps, array in zip(session(batch), expected, strict=True):
        np.testing.assert_allclose(maps, array, rtol=1e-4, atol=1e-5)


# -------------------------------------------------------------------------------------- custom operators


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="there is no library"):
        load(models.plain(), tmp_path, custom_ops=[tmp_path / "ops.so"])


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    (tmp_path / "ops.so").write_bytes(b"nothing")
    with pytest.raises(ModelRuntimeError, match="is no library of operators"):
        load(models.plain(), tmp_path, custom_ops=[tmp_path / "ops.so"])


def test_an_operator_that_is_lacking_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ModelRuntimeError, match=r"'Twirl' of domain 'acme\.vision'") as caught:
        load(models.unknown_operator(), tmp_path)
    assert "--custom-ops" in str(caught.value.hint)


REGISTER = """
#include <stdio.h>
#include <stdlib.h>
void *RegisterCustomOps(void *options, const void *base) {
    (void)options; (void)base;
    FILE *log = fopen(getenv("REGISTERED"), "a");
    if (log) { fputs("registered\\n", log); fclose(log); }
    return NULL;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None or sys.platform == "win32", reason="needs a C compiler")
def test_a_library_is_handed_to_every_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the probe, the reference, the file as it is, and the cut graph."""
    (tmp_path / "ops.c").write_text(REGISTER, encoding="utf-8")
    library = tmp_path / "ops.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "ops.c"], check=True)
    monkeypatch.setenv("REGISTERED", str(tmp_path / "log"))
    network = load(models.plain(), tmp_path, custom_ops=[library])
    assert (tmp_path / "log").read_text().count("registered") == 1
    open_session(network, network.select(["last"]), verify=images(network))
    assert (tmp_path / "log").read_text().count("registered") == 4
