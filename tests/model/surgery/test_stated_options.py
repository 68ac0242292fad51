"""What is stated is used, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from support import models
from support.checking import MODEL, call
from support.commands import called
from support.models import Builder, save

from onnxdissect.errors import LayerLayoutError, ModelRuntimeError, ParameterError
from onnxdissect.model import choose_preprocessing, load_network
from onnxdissect.model.surgery.free_size import size_warnings


def command(*words: object, cwd: Path) -> tuple[int, str]:
    done = called(cwd, *words)
    return done.returncode, done.stderr


@pytest.mark.parametrize("preset", ["imagenet", "tf", "unit", "clip"])
def test_a_preset_that_rounds_an_integer_input_to_nothing(preset: str, tmp_path: Path) -> None:
    b = Builder(dtype=np.uint8)
    x = b.node("Cast", "image", to=onnx.TensorProto.FLOAT)
    b.dtype, b.units[x] = np.dtype(np.float32), 3
    network = load_network(save(b.model(b.relu(b.conv(x, 4))), tmp_path / "m.onnx"))
    assert network.input.dtype == "uint8"
    with pytest.raises(ParameterError, match="pixels as uint8: prepared so"):
        choose_preprocessing(network, preset=preset)
    with pytest.raises(ParameterError, match="pixels as uint8: prepared so, 2 of"):
        choose_preprocessing(network, scale=1 / 255)
    for asked in ({"preset": "raw"}, {"mean": [3.0], "scale": 1.0}):
        assert choose_preprocessing(network, **asked).scale == 1


def test_grey_images_have_no_order_of_channels(tmp_path: Path) -> None:
    b = Builder(("N", 1, 32, 32))
    network = load_network(save(b.model(b.relu(b.conv("image", 4))), tmp_path / "m.onnx"))
    with pytest.raises(ParameterError, match="takes grey images"):
        choose_preprocessing(network, channels="bgr")


def test_the_image_cannot_be_bound(tmp_path: Path) -> None:
    path = save(models.plain(shape=(1, 3, 32, 32)), tmp_path / "m.onnx")
    with pytest.raises(ParameterError, match="'image' is given a value, and no other input takes the images"):
        load_network(path, bind={"image": "1"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", MODEL, "--limit", "3", "--min-images", "4"), "no concept is held by 4 images"),
        (("run", MODEL, "--bootstrap", "0", "--null", "0", "--seed", "3"), "--seed: with --bootstrap 0"),
        (("run", MODEL, "--bootstrap", "0", "--null", "0", "--groups", "folder"), "--groups: with --boot"),
        (("run", MODEL, "--workers", "0"), "workers must be positive"),
        (("run", MODEL, "--limit", "0"), "the limit must be 1 or more"),
        (("run", MODEL, "--split", "nowhere"), "has no split 'nowhere'"),
        (("run", MODEL, "--preset", "raw", "--mean", "0.5"), "preset 'raw' together with mean"),
        (("layers", MODEL, "--data", "tiny"), "--data and --preset are for --probe"),
        (("layers", MODEL, "--bind", "nowhere=1"), "no input 'nowhere' to bind"),
        (("layers", MODEL, "--layout", "nowhere=NCHW"), "computes no such value"),
    ],
)
def test_refused_with_the_reason(words: tuple[object, ...], said: str, tmp_path: Path) -> None:
    code, err = command(*words, cwd=tmp_path)
    assert (code, said in err) == (2, True), err
    assert not (tmp_path / "dissections").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--data", "tiny"),
        ("--layer", "last"),
        ("--limit", "3"),
        ("--preset", "raw"),
        ("--image-size", "64x64"),
        ("--bind", "a=1"),
        ("--layout", "a=NC"),
        ("--custom-ops", "a.so"),
        ("--config", "a.toml"),
        ("--json",),
    ],
)
def test_writing_a_baseline_takes_no_option_of_a_check(words: tuple[str, ...], tmp_path: Path) -> None:
    said = call("--baseline", "run", "--write-baseline", "b.json", *words, cwd=tmp_path)
    assert said.code == 2
    assert f"--write-baseline checks no model, and takes no {words[0]}" in " ".join(said.err.split())


def test_a_network_that_fails_at_the_default_size_says_one_that_does(tmp_path: Path) -> None:
    b = Builder(("N", 3, "h", "w"))
    x = b.relu(b.conv("image", 4, stride=4))
    rows = b.node("Reshape", x, b.constant([0, 48, -1], np.int64))
    path = save(b.model(b.node("MatMul", rows, b.weight((80, 5)))), tmp_path / "lines.onnx")
    with pytest.raises(ModelRuntimeError) as caught:
        load_network(path)
    message = caught.value.message
    assert "Reshape node" in message
    assert not any(word in message for word in ("onnxruntime_src", ".h:", ".cc:", "Non-zero status"))
    assert caught.value.hint == "it runs at --image-size 48x320"
    assert load_network(path, image_size=(48, 320)).size == (48, 320)


def thumbnails(size: int, stride: int) -> onnx.ModelProto:
    b = Builder((1, 3, size, size))
    return b.model(b.relu(b.conv("image", 4, stride=stride), name="deep"))


@pytest.mark.parametrize(
    ("size", "stride", "asked", "warned"),
    [
        (32, 16, None, True),
        (32, 4, None, False),  # 8x8 cells
        (32, 16, (32, 32), False),  # as asked for
        (128, 64, None, False),  # not much smaller than the data
    ],
)
def test_a_placeholder_size_is_said(
    size: int, stride: int, asked: tuple[int, int] | None, warned: bool, tmp_path: Path
) -> None:
    network = load_network(save(thumbnails(size, stride), tmp_path / "m.onnx"), image_size=asked)
    said = size_warnings(network.input, network.size, (224, 300), network.layers, asked)
    assert bool(said) == warned
    if warned:
        assert "declares images of 32x32 pixels, and the data has 224x300: layer 'deep' has 2x2" in said[0]
        assert "--image-size 224x320" in said[0]


def test_the_run_says_a_placeholder_size(tmp_path: Path) -> None:
    path = save(thumbnails(32, 16), tmp_path / "m.onnx")
    words = ("--limit", "3", "--bootstrap", "0", "--null", "0", "--no-report")
    code, err = command("run", path, *words, cwd=tmp_path)
    assert code == 0, err
    assert "warning: the file declares images of 32x32 pixels" in " ".join(err.split())


def test_no_layout_is_offered_for_groups_of_channels(tmp_path: Path) -> None:
    b = Builder()
    x = b.node("Reshape", b.relu(b.conv("image", 8)), b.constant([0, 4, -1], np.int64), name="groups")
    network = load_network(save(b.model(x), tmp_path / "m.onnx"))
    with pytest.raises(LayerLayoutError) as caught:
        network.select(["groups"])
    assert caught.value.candidates == ()
    assert "--layout" not in str(caught.value.hint)


def test_a_layout_of_another_rank(tmp_path: Path) -> None:
    path = save(models.plain(), tmp_path / "m.onnx")
    with pytest.raises(LayerLayoutError, match="has 3 axes"):
        load_network(path, layouts={"relu1": "NTC"})
