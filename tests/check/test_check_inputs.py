"""What people get wrong: one readable message that names the way out, and never a traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.checking import MODEL, Said, call, check, make_baseline, make_run
from support.small_runs import broden

import onnxdissect
from onnxdissect.check.comparing.comparison import MOST_SCORED, expect_room
from onnxdissect.check.rules.config_file import read_config
from onnxdissect.errors import ParameterError


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    make_baseline(make_run(folder, 30))
    broden(folder / "other", 30, seed=5)
    return folder


def refused(said: Said, *words: str) -> None:
    assert said.code == 2, said.out + said.err
    assert said.out == ""
    message = said.err.partition("error: ")[2]
    assert message, said.err
    assert len(message.splitlines()) <= 3, message
    assert "Traceback" not in said.err
    for word in words:
        assert word in message, message


def edit(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (edit('"format_version": 1', '"format_version": 99'), ("version 99, not 1", "hint: write it again")),
        (
            edit('"iou_threshold": 0.04', '"iou_threshold": 0.5'),
            ("edited or damaged", "hint: write it again"),
        ),
        (edit('"relu6"', '"relu7"'), ("edited or damaged", "hint: write it again")),
        (lambda text: text[: len(text) // 2], ("cut short", "hint: write it again")),
        (lambda text: "", ("no baseline", "hint: write it again")),
        (lambda text: "wheel,train\n1,2\n", ("no baseline", "hint: write it again")),
        (lambda text: "[1, 2]", ("JSON, but no baseline", "hint: --baseline RUN")),
        (lambda text: '{"format_version": 1}', ("JSON, but no baseline", "hint: --baseline RUN")),
    ],
    ids=["version", "edited", "renamed", "cut", "empty", "no JSON", "list", "other JSON"],
)
def test_baseline_files(
    damage: Callable[[str], str], words: tuple[str, ...], home: Path, tmp_path: Path
) -> None:
    text = (home / "baseline.json").read_text(encoding="utf-8")
    (tmp_path / "b.json").write_text(damage(text), encoding="utf-8")
    refused(call(MODEL, "--baseline", "b.json", cwd=tmp_path), "b.json", *words)


def test_baseline_folders(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(call(MODEL, "--baseline", "empty", cwd=tmp_path), "empty is not a run directory", "manifest.json")
    refused(call(MODEL, "--baseline", "absent.json", cwd=tmp_path), "hint: onnxdissect check --baseline RUN")
    for name, old, new, words in (
        (
            "unfinished",
            '"status": "complete"',
            '"status": "running"',
            ("unfinished run", "hint: type the same"),
        ),
        ("old", '"format_version": 1', '"format_version": 77', ("format version 77", "hint: ")),
    ):
        shutil.copytree(home / "run", tmp_path / name)
        manifest = tmp_path / name / "manifest.json"
        manifest.write_text(edit(old, new)(manifest.read_text(encoding="utf-8")), encoding="utf-8")
        refused(call(MODEL, "--baseline", name, cwd=tmp_path), name, *words)
    shutil.copytree(home / "run", tmp_path / "torn")
    next((tmp_path / "torn").glob("layers/*/tally.npz")).unlink()
    refused(call(MODEL, "--baseline", "torn", cwd=tmp_path), "tally.npz is missing", "hint: ")


def test_other_data(home: Path, tmp_path: Path) -> None:
    said = call(MODEL, "--baseline", home / "baseline.json", "--data", home / "other", cwd=tmp_path)
    refused(said, "fingerprint", "hint: --data with the baseline's data")
    said = call(MODEL, "--baseline", home / "baseline.json", "--data", "nowhere", cwd=tmp_path)
    refused(said, "there is no folder nowhere", "hint: ")


def test_data_that_is_no_longer_there(home: Path, tmp_path: Path) -> None:
    broden(tmp_path / "data", 8, seed=2)
    words = (MODEL, "--against", MODEL, "--data", "data", "--limit", 8, "--preset", "raw", "--layer", "relu6")
    assert call(*words, cwd=tmp_path).code == 0
    onnxdissect.dissect(MODEL, tmp_path / "data", ["relu6"], preset="raw", out=tmp_path / "run")
    (tmp_path / "data").rename(tmp_path / "moved")
    refused(call(MODEL, "--baseline", "run", cwd=tmp_path), "lay in", "hint: --data with where it lies")
    said = call(MODEL, "--baseline", "run", "--data", "moved", cwd=tmp_path)
    assert said.code == 0, said.out + said.err
    (tmp_path / "onnxdissect.toml").write_text('data = "moved"\n', encoding="utf-8")
    assert call(MODEL, "--baseline", "run", cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ('required = ["wheel"]\nforbidden = ["wheel"]', ("wheel is both required and forbidden",)),
        ("minimum-detectors = 3\nminimum-unique = 4", ("contradicts", "every unique detector is a detector")),
        ("minimum-detectors = 129", ("asks for 129", "128 units")),
        ("minimum-unique = 129", ("asks for 129", "128 units")),
        ("[layers.relu6]\nminimum-detectors = 129", ("'relu6', which has 128 units",)),
        ("[layers.relu7]\nminimum-detectors = 1", ("layer 'relu7'", "candidates: relu6")),
        ("[layers.relu6]\nminimum-detector = 1", ("layers.relu6", "candidates: minimum-detectors")),
        ("[layers]\nrelu6 = 3", ("layers.relu6 takes a table, not 3",)),
        ('required = ["weel"]', ("concept 'weel'", "candidates: wheel")),
        ('forbidden = ["weel"]', ("concept 'weel'", "candidates: wheel")),
        ("[categories]\nobjects = 2", ("category 'objects'", "candidates: object")),
        ("[categories]\nobject = 999", ("999 concepts of 'object'", "the data has 71")),
        ('forbidden = ["train"]\n[categories]\nobject = 71', ("71", "1 are forbidden")),
        ('[levels]\ndrift = "fatal"', ("a level is not 'fatal'", "candidates: error, warning, off")),
        ('[levels]\ndrft = "off"', ("there is no rule 'drft'", "candidates: drift")),
        ('[levels]\nrunnable = "off"', ("runnable is always an error",)),
        ("minimum-detector = 3", ("no setting 'minimum-detector'", "candidates: minimum-detectors")),
        ("minimum_detectors = 3", ("no setting 'minimum_detectors'", "candidates: minimum-detectors")),
        ('[tool.onnxdissect.check]\nrequired = ["wheel"]', ("no setting 'tool'",)),
        ('required = "wheel"', ("required takes a list of names, not 'wheel'",)),
        ("required = [1]", ("required takes a list of names",)),
        ("minimum-detectors = 1.5", ("minimum-detectors takes a whole number from 0, not 1.5",)),
        ("minimum-detectors = -1", ("minimum-detectors takes a whole number from 0, not -1",)),
        ("minimum-detectors = true", ("minimum-detectors takes a number, not True",)),
        ("categories = 3", ("categories takes a table, not 3",)),
        ("[categories]\nobject = -1", ("categories.object takes a whole number from 0",)),
        ("labels-kept = 80", ("labels-kept takes a share in 0..1, not 80",)),
        ("iou-margin = -0.1", ("iou-margin takes a share in 0..1, not -0.1",)),
        ("significance = 0.0", ("significance takes a share between 0 and 1",)),
        ("significance = nan", ("significance takes a share in 0..1",)),
        ("drift = inf", ("drift takes a number from 0, not inf",)),
        ("resamples = 10", ("resamples takes a whole number from 100, not 10",)),
        ('provider = "gpu"', ("no provider 'gpu'", "candidates: auto, cpu, cuda")),
        ("data = 3", ("data takes a text, not 3",)),
        ("seed = " + "9" * 5000, ("a number in it has more than", "within 64 bits")),
        ("seed = 0x" + "f" * 5000, ("seed takes a number within 64 bits, not a number of 20,000 bits",)),
        ("drift = 1" + "0" * 400, ("drift takes a number within 64 bits",)),
        ("[categories]\nobject = 0x" + "f" * 5000, ("categories.object takes a whole number of at most",)),
        ("drift = [" + "0x" + "f" * 5000 + "]", ("drift takes a number, not a list of 1",)),
        ("required = " + "[" * 5000, ("nested too deep",)),
        ("required = [", ("onnxdissect.toml cannot be read as TOML", "at end of document")),
    ],
)
def test_rules(rules: str, words: tuple[str, ...], home: Path, tmp_path: Path) -> None:
    (tmp_path / "onnxdissect.toml").write_text(rules + "\n", encoding="utf-8")
    refused(call(MODEL, "--baseline", home / "baseline.json", cwd=tmp_path), *words)


@pytest.mark.parametrize(
    "rules",
    [
        'required = ["{0}"]\nforbidden = ["{0}"]',
        "required = [{1}]\nforbidden = [{1}]",
        '{0} = "x"',
        'provider = "{0}"',
        'drift = "{0}"',
        '[levels]\ndrift = "{0}"',
        '[levels]\n{0} = "off"',
        "[layers.{0}]\nminimum-detectors = -1",
        "[layers.{0}]\nminimum-detectors = 1\nminimum-unique = 2",
        "[layers]\n{0} = 1",
        "[layers.x]\n{0} = 1",
        "[categories]\n{0} = -1",
        "[categories]\nobject = [{1}]",
    ],
)
def test_long_texts_are_cut_short(rules: str, tmp_path: Path) -> None:
    path = tmp_path / "onnxdissect.toml"
    many = ", ".join(f'"concept {i}"' for i in range(5000))
    path.write_text(rules.replace("{0}", "x" * 100_000).replace("{1}", many) + "\n", encoding="utf-8")
    with pytest.raises(ParameterError) as caught:
        read_config(path)
    assert len(caught.value.message) < 400 + len(str(path))


def test_resamples_are_compared_with_the_memory() -> None:
    """A thousand of two layers of 100,000 units and 1,000 concepts take 16 bytes each."""
    needed = 16 * 1000 * 201_000
    expect_room(1000, 200_000, 1000, needed)
    expect_room(1000, 200_000, 1000, None)
    with pytest.raises(ParameterError, match=r"1,000 resamples.*take 3\.0 GiB, and there is") as caught:
        expect_room(1000, 200_000, 1000, needed - 1)
    assert caught.value.hint == "resamples = 499"


def test_resamples_are_bounded_however_much_memory_there_is() -> None:
    most = MOST_SCORED // (16 * 87)
    expect_room(most, 16, 71, 2**50)
    for count in (most + 1, 999_999):
        with pytest.raises(ParameterError, match=r"at most 1\.0 GiB are taken") as caught:
            expect_room(count, 16, 71, 2**50)
    assert caught.value.hint == "resamples = 1000"


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "onnxdissect.toml"
    path.write_bytes(b"\xef\xbb\xbfdrift = 0.25\n")
    assert read_config(path).drift == 0.25


def test_files_of_rules(home: Path, tmp_path: Path) -> None:
    baseline = ("--baseline", home / "baseline.json")
    refused(call(MODEL, *baseline, "--config", "absent.toml", cwd=tmp_path), "no file of rules", "hint: ")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    refused(call(MODEL, *baseline, "--config", "bytes.toml", cwd=tmp_path), "cannot be read as TOML")
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "x"\n', encoding="utf-8")
    refused(call(MODEL, *baseline, "--config", "pyproject.toml", cwd=tmp_path), "[tool.onnxdissect.check]")
    assert "rules: the defaults" in call(MODEL, *baseline, cwd=tmp_path).err
    project.write_text("[tool.onnxdissect.chek]\ndrift = 0.2\n", encoding="utf-8")
    refused(call(MODEL, *baseline, cwd=tmp_path), "no setting 'chek'", "candidates: tool.onnxdissect.check")
    project.write_text("[tool.onnxdissect]\ncheck = 3\n", encoding="utf-8")
    refused(call(MODEL, *baseline, cwd=tmp_path), "tool.onnxdissect.check takes a table, not 3")
    project.write_text("[tool.onnxdissect.check]\nminimum-detectors = 128\n", encoding="utf-8")
    said = call(MODEL, *baseline, cwd=tmp_path)
    assert said.code == 1
    assert "rules: pyproject.toml" in said.err
    assert "at least 128 asked for" in said.out
    (tmp_path / "onnxdissect.toml").write_text("minimum-detectors = 1\n", encoding="utf-8")
    said = call(MODEL, *baseline, cwd=tmp_path)
    assert said.code == 0
    assert "rules: onnxdissect.toml" in said.err


def changed(path: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    model = onnx.load(MODEL)
    change(model)
    del model.graph.value_info[:]
    onnx.save(model, path)
    return path


def crash(model: onnx.ModelProto) -> None:
    """Read beyond the end of an axis, which nothing can see before the network runs."""
    graph = model.graph
    relu = [node for node in graph.node if node.op_type == "Relu"][-1]
    at = list(graph.node).index(relu)
    graph.initializer.append(numpy_helper.from_array(np.array([500], np.int64), "beyond"))
    graph.node.insert(at, helper.make_node("Gather", [relu.input[0], "index"], ["read"], axis=1))
    graph.node.insert(at, helper.make_node("Identity", ["beyond"], ["index"]))
    graph.node.insert(at + 2, helper.make_node("Mul", [relu.input[0], "read"], ["product"]))
    relu.input[0] = "product"


def opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 9999


def grey(model: onnx.ModelProto) -> None:
    """One channel instead of three."""
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    for tensor in model.graph.initializer:
        if tensor.name == conv.input[1]:
            values = numpy_helper.to_array(tensor)[:, :1]
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))


def no_image(model: onnx.ModelProto) -> None:
    shape = model.graph.input[0].type.tensor_type
    shape.CopyFrom(helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 10]).tensor_type)


def nan(model: onnx.ModelProto) -> None:
    conv = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    for tensor in model.graph.initializer:
        if tensor.name == conv.input[1]:
            values = numpy_helper.to_array(tensor).copy()
            values[7] = np.nan
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (crash, "Gather"),
        (opset, "Opset 9999"),
        (no_image, "image"),
        (grey, "channel"),
        (nan, "layer 'relu6', unit 7"),
    ],
)
def test_candidates_that_do_not_run(
    change: Callable[[onnx.ModelProto], None], reason: str, home: Path, tmp_path: Path
) -> None:
    changed(tmp_path / "bad.onnx", change)
    said = call("bad.onnx", "--baseline", home / "baseline.json", cwd=tmp_path)
    assert said.code == 1, said.err
    assert "error    runnable" in said.out
    assert reason in said.out
    assert "Traceback" not in said.err


def test_candidates_that_are_no_models(home: Path, tmp_path: Path) -> None:
    for name, content in (
        ("cut.onnx", MODEL.read_bytes()[:5000]),
        ("empty.onnx", b""),
        ("text.onnx", b"not a model"),
    ):
        (tmp_path / name).write_bytes(content)
        said = call(name, "--baseline", home / "baseline.json", cwd=tmp_path)
        assert said.code == 1
        assert "error    runnable" in said.out
        refused(call(MODEL, "--against", name, cwd=tmp_path), name)
    refused(call("absent.onnx", "--baseline", home / "baseline.json", cwd=tmp_path), "absent.onnx")
    refused(call(MODEL, "--against", "absent.onnx", cwd=tmp_path), "absent.onnx")


def fewer(model: onnx.ModelProto) -> None:
    """Drop the last unit of the last convolution, and what the classifier made of it."""
    graph = model.graph
    conv = [node for node in graph.node if node.op_type == "Conv"][-1]
    gemm = next(node for node in graph.node if node.op_type == "Gemm")
    units = next(numpy_helper.to_array(t).shape[0] for t in graph.initializer if t.name == conv.input[1])
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name in conv.input:
            values = values[:-1]
        elif tensor.name == gemm.input[1]:
            values = np.delete(values, units - 1, axis=values.shape.index(units))
        else:
            continue
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))


def test_as_a_process(home: Path, tmp_path: Path) -> None:
    """What happens in this process happens in one of its own."""
    (tmp_path / "b.json").write_text("{", encoding="utf-8")
    refused(check(MODEL, "--baseline", "b.json", cwd=tmp_path), "cut short", "hint: write it again")
    (tmp_path / "onnxdissect.toml").write_text('required = ["weel"]\n', encoding="utf-8")
    words = ("--baseline", home / "baseline.json")
    refused(check(MODEL, *words, cwd=tmp_path), "concept 'weel'", "candidates: wheel")
    (tmp_path / "onnxdissect.toml").unlink()
    changed(tmp_path / "bad.onnx", crash)
    said = check("bad.onnx", *words, cwd=tmp_path)
    assert said.code == 1
    assert "Gather" in said.out
    assert "Traceback" not in said.err


def test_other_unit_counts(home: Path, tmp_path: Path) -> None:
    changed(tmp_path / "fewer.onnx", fewer)
    said = call("fewer.onnx", "--baseline", home / "baseline.json", cwd=tmp_path)
    assert said.code == 1
    assert "127 units, where the baseline has 128" in said.out
    assert "127 units cannot be compared with 128 one by one" in said.out
    assert "error (untested)" in said.out


def renamed(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        for values in (node.input, node.output):
            for i, name in enumerate(values):
                if name.startswith("relu"):
                    values[i] = f"other/{name}"


def other_size(model: onnx.ModelProto) -> None:
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = 64


def test_other_names_and_sizes(home: Path, tmp_path: Path) -> None:
    changed(tmp_path / "renamed.onnx", renamed)
    said = call("renamed.onnx", "--baseline", home / "baseline.json", cwd=tmp_path)
    assert said.code == 0
    assert "layer relu6 is taken to be other/relu6" in said.err
    changed(tmp_path / "small.onnx", other_size)
    said = call("small.onnx", "--baseline", home / "baseline.json", cwd=tmp_path)
    assert "maps of 8x8, the baseline's are 14x14: another image size or stride" in said.err
    said = call("small.onnx", "--against", MODEL, "--limit", 20, "--layer", "relu6", cwd=tmp_path)
    assert said.code == 1
    assert "no layer of as many units and the same grid" in said.out
