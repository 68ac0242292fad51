"""The command line as people meet it: exit codes, what goes where, and a message for every bad input."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support import models
from support.datasets import Damage
from support.small_runs import Convolution, broden, network

import onnxdissect
from onnxdissect.cli.main import main
from onnxdissect.data.decoding import inflate, jpeg


@dataclass
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["onnxdissect", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        code = end.value.code
        return Said(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network, a data set, and nothing else; commands run in it."""
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 7, seed=2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def process(*words: object, **environment: str) -> Said:
    done = subprocess.run(
        [sys.executable, "-m", "onnxdissect", *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


RUN = ("run", "net.onnx", "--data", "data", "--preset", "raw", "--quantile", 0.1)


def test_a_run_as_a_process(world: Path) -> None:
    said = process(*RUN)
    assert said.code == 0
    assert re.search(
        r"^layer +value +units +detectors +FDR 5 % +reliable +unique +95 % +unique reliable +color +object",
        said.out,
        re.M,
    )
    assert re.search(
        r"^relu1: \d of 4 units detects? a concept(, (\d|none|all) of them reliably|, but not reliably)?$",
        said.out,
        re.M,
    )
    assert re.search(r"^relu1 +relu0 +4 ", said.out, re.M)
    assert "run:    dissections/net-data" in said.out
    assert "preprocessing: raw" in said.err
    assert "decoding and inference: 7 images in" in said.err
    assert "\x1b[" not in said.out + said.err
    run = world / "dissections" / "net-data"
    assert (run / "report" / "index.html").exists()
    assert onnxdissect.load(run).quantiles == (0.1,)


def test_json_is_all_there_is_on_stdout(world: Path) -> None:
    said = process(*RUN, "--json", "--no-report")
    summary = json.loads(said.out)
    assert summary["layers"][0]["units"] == 4
    assert summary["report"] is None
    assert not (world / "dissections" / "net-data" / "report").exists()


def test_help_is_quick_to_load_and_says_everything() -> None:
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "onnxdissect", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for word in ("run", "layers", "data", "report", "rescore", "doctor"):
        assert word in imported.stdout
    heavy = re.findall(r"\| +(numpy|onnx|onnxruntime|onnx_ir|numba|cv2|jinja2)$", imported.stderr, re.M)
    assert heavy == []


def test_version(command: Command) -> None:
    assert command("--version").out == f"onnxdissect {onnxdissect.__version__}\n"


def test_layers(command: Command, world: Path) -> None:
    said = command("layers", "net.onnx")
    assert "net.onnx: input image NCHW float32, 12x12 pixels" in said.out
    assert re.search(
        r"^1 +relu1 +relu0 +Relu +NCHW +1x4x6x6 +4 +6x6 +3 +2 +0 +108 +100% +Conv works on NCHW$",
        said.out,
        re.M,
    )
    (conv, relu) = json.loads(command("layers", "net.onnx", "--json").out)
    assert (conv["stage"], relu["stage"]) == (None, 1)
    assert relu["receptive_field"] == {"offset": [0, 0], "stride": [2, 2], "size": [3, 3]}
    assert command("layers", "net.onnx", "--image-size", "big").code == 2


def test_report_and_rescore(command: Command, world: Path) -> None:
    assert command(*RUN, "--out", "run").code == 0
    rows = {}
    for scoring in ("pnas", "lite", "paper"):
        assert command("rescore", "run", "--scoring", scoring).code == 0
        rows[scoring] = (world / "run" / "units.csv").read_text()
    assert len(set(rows.values())) == 3
    loose = json.loads(command("rescore", "run", "--iou-threshold", 0, "--json").out)
    assert loose["iou_threshold"] == 0
    assert command("rescore", "run", "--scoring", "papr").code == 2
    (world / "run" / "report" / "index.html").unlink()
    said = command("report", "run")
    assert said.out == f"{Path('run/report/index.html')}\n"
    assert (world / "run" / "report" / "index.html").exists()


def test_data_info_and_check(command: Command, world: Path) -> None:
    said = command("data", "info", "data")
    assert "images:       7" in said.out
    facts = json.loads(command("data", "info", "data", "--json").out)
    assert [c["name"] for c in facts["categories"]] == ["color", "object", "part"]
    assert command("data", "check", "data").code == 0
    Damage(world / "data").truncate("3.png")
    (world / "data" / "images" / "5.png").unlink()
    said = command("data", "check", "data")
    assert said.code == 1
    assert "3.png" in said.out
    assert "5.png" in said.out
    found = json.loads(command("data", "check", "data", "--json").out)
    assert {p["file"] for p in found["problems"] if p["level"] == "error"} == {"3.png", "5.png"}


def test_data_check_shows_so_many_problems(world: Path, command: Command) -> None:
    with (world / "data" / "label.csv").open("a", newline="") as table:
        table.writelines(f"{number},never{number},object(0),0,0,\n" for number in range(1000, 1400))
    said = command("data", "check", "data")
    problems = json.loads(command("data", "check", "data", "--json").out)["problems"]
    assert len(problems) >= 400
    assert f"... and {len(problems) - 200:,} more; --json prints all" in said.out
    assert sum(line.startswith("warning") for line in said.out.splitlines()) == 200


def test_data_tiny(command: Command, world: Path) -> None:
    said = command("data", "tiny", "drawn", "--images", 16, "--seed", 5)
    assert (said.code, said.out) == (0, "drawn\n")
    assert "drawing the data set tiny: 16 images" in said.err
    assert command("data", "check", "drawn").code == 0
    assert command("data", "tiny", "data").code == 2


def test_doctor(command: Command) -> None:
    said = command("doctor", "--json")
    findings = {
        finding["what" if "what" in finding else "subject"]: finding for finding in json.loads(said.out)
    }
    assert findings["provider cpu"]["state"] == "ok"
    assert said.code == (1 if any(f["state"] == "problem" for f in findings.values()) else 0)
    assert "first call in" in findings["kernels"]["message"]


def test_doctor_tells_whether_the_quicker_decoders_are_there(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflate, "fast", zlib)
    monkeypatch.setattr(jpeg, "simplejpeg", None)
    found = {finding["subject"]: finding for finding in json.loads(command("doctor", "--json").out)}
    for name in ("simplejpeg", "zlib-ng"):
        assert found[name]["state"] == "note"
        assert found[name]["message"].endswith(f"pip install {name}")
    monkeypatch.undo()
    found = {finding["subject"]: finding for finding in json.loads(command("doctor", "--json").out)}
    for name, there in (("simplejpeg", jpeg.simplejpeg), ("zlib-ng", inflate.fast is not zlib)):
        assert found[name]["state"] == ("ok" if there else "note")
        assert not there or found[name]["message"] == version(name)


def test_doctor_does_without_the_compiler() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "onnxdissect", "doctor", "--json"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert any(finding["subject"] == "kernels" for finding in json.loads(done.stdout))


def test_a_bug_does_not_look_like_a_fault_of_the_user(
    command: Command, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("oh no")

    monkeypatch.setattr("onnxdissect.pipeline.dissect.dissect", broken)
    said = command(*RUN)
    assert said.code == 70
    assert "bug: ZeroDivisionError: oh no" in said.err
    assert "Traceback" not in said.err
    monkeypatch.setenv("ONNXDISSECT_TRACEBACK", "1")
    assert "Traceback" in command(*RUN).err


def refused(said: Said, *parts: str) -> None:
    """One clear message on stderr, exit code 2, and nothing that could be taken for a result."""
    assert said.code == 2, said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert said.err.count("error: ") == 1
    for part in parts:
        assert part in said.err
    for manifest in Path().rglob("manifest.json"):
        assert json.loads(manifest.read_text())["status"] != "complete"


MODELS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing": (lambda path: path.unlink(), ("net.onnx",)),
    "not ONNX": (lambda path: path.write_text("I am a poem, not a network.\n" * 40), ("net.onnx",)),
    "empty": (lambda path: path.write_bytes(b""), ("net.onnx",)),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:200]), ("net.onnx",)),
    "unknown op": (lambda path: models.save(models.unknown_operator(), path), ("acme.vision",)),
    "five channels": (
        lambda path: models.save(models.plain(shape=("N", 5, 16, 16)), path),
        ("5",),
    ),
    "no image": (lambda path: onnx.save(_of_a_vector(), path), ("input",)),
}


def _of_a_vector() -> onnx.ModelProto:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 7]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "vector", value[:1], value[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("case", MODELS)
def test_models_that_will_not_do(command: Command, world: Path, case: str) -> None:
    spoil, parts = MODELS[case]
    spoil(world / "net.onnx")
    refused(command("run", "net.onnx", "--data", "data"), *parts)
    assert not (world / "dissections").exists()


def test_weights_that_are_not_finite(command: Command, world: Path) -> None:
    model = onnx.load("net.onnx")
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[1] = np.nan
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w0"))
    onnx.save(model, "net.onnx")
    refused(command(*RUN), "'relu0', unit 1, image 0.png", "NaN")


OPTIONS: dict[str, tuple[tuple[object, ...], tuple[str, ...]]] = {
    "unknown layer": (("--layer", "rellu0"), ("rellu0", "relu0", "onnxdissect layers")),
    "layer without units": (("--layer", "image"), ("image", "input of the network")),
    "limit 0": (("--limit", 0), ("0",)),
    "quantile 0": (("--quantile", 0), ("strictly between 0 and 1", "--quantile 0.005")),
    "quantile 1.5": (("--quantile", 1.5), ("1.5",)),
    "unknown split": (("--split", "vall"), ("vall", "train")),
    "unknown preset": (("--preset", "imagnet"), ("imagnet", "imagenet")),
    "preset and mean": (("--preset", "tf", "--mean", "1"), ("mean",)),
    "mean of words": (("--mean", "a,b"), ("--mean takes numbers",)),
    "unknown upsampling": (("--upsample", "resise"), ("resise", "resize")),
    "threshold 2": (("--iou-threshold", 2), ("2",)),
    "batch 0": (("--batch-size", 0), ("batch size",)),
    "no workers": (("--workers", 0), ("workers",)),
    "unknown provider": (("--provider", "gpu"), ("gpu", "cuda")),
    "data missing": (("--data", "dta"), ("dta", "data")),
    "data without index": (("--data", "data/images"), ("index.csv",)),
    "output below a file": (("--out", "net.onnx/run"), ("net.onnx",)),
    "output that is not ours": (("--out", "data"), ("not a run directory",)),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_requests_that_will_not_do(command: Command, world: Path, case: str) -> None:
    words, parts = OPTIONS[case]
    refused(command("run", "net.onnx", "--data", "data", *words), *parts)
    assert not (world / "dissections").exists()


def _mask_of_wrong_size(data: Path) -> None:
    (label,) = list((data / "images").glob("*_color_0.png"))[:1]
    cv2.imwrite(str(label), np.zeros((3, 4, 3), np.uint8))


def _unlisted_label(data: Path) -> None:
    (label,) = list((data / "images").glob("*_color_0.png"))[:1]
    former = cv2.imread(str(label))
    assert former is not None
    cv2.imwrite(str(label), np.full(former.shape, 99, np.uint8))


def _truncated_jpeg(data: Path) -> None:
    image = cv2.imread(str(data / "images" / "4.png"))
    assert image is not None
    cv2.imwrite(str(data / "images" / "4.jpg"), cv2.resize(image, (64, 64)))
    Damage(data).truncate("4.jpg", 0.7)
    Damage(data).replace("index.csv", "4.png,", "4.jpg,")


def _no_rows(data: Path) -> None:
    with (data / "index.csv").open(newline="") as file:
        header = next(csv.reader(file))
    (data / "index.csv").write_text(",".join(header) + "\n")


DATA: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "listed file missing": (lambda data: (data / "images" / "4.png").unlink(), ("4.png", "missing")),
    "truncated JPEG": (_truncated_jpeg, ("4.jpg",)),
    "truncated PNG": (lambda data: Damage(data).truncate("4.png"), ("4.png",)),
    "mask of the wrong size": (_mask_of_wrong_size, ("_color_0.png", "3x4")),
    "label not in label.csv": (_unlisted_label, ("_color_0.png", "label.csv")),
    "empty data set": (_no_rows, ("data",)),
    "no index.csv": (lambda data: (data / "index.csv").unlink(), ("index.csv",)),
}


@pytest.mark.parametrize("case", DATA)
def test_data_that_will_not_do(command: Command, world: Path, case: str) -> None:
    spoil, parts = DATA[case]
    spoil(world / "data")
    refused(command(*RUN), *parts)


def test_runs_that_cannot_be_read(command: Command, world: Path) -> None:
    refused(command("report", "nowhere"), "nowhere")
    refused(command("rescore", "data"), "data")
    with pytest.raises(AssertionError):  # the helper itself must be able to fail
        refused(Said(2, "", "error: something else"), "nowhere")


def test_usage_errors_exit_with_two(command: Command) -> None:
    assert command("run").code == 2
    assert command("dissect", "net.onnx").code == 2
    assert command("run", "net.onnx", "--limit", "many").code == 2
