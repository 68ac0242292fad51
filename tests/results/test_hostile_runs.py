"""Run directories that lie are refused, or give figures: never a bug, a hang or a figure that is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.former_runs import without_checksums
from support.hostile_runs import VALUES

from onnxdissect.errors import RunFormatError
from onnxdissect.results import load

TESTS = Path(__file__).parents[1]


def test_seeds_of_every_kind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "support.hostile_runs", "0", "40", str(tmp_path)],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    counted = done.stdout.splitlines()[-1]
    assert " refused (RunFormatError)" in counted
    assert " read" in counted


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (("layers", 0, "shape"), "[1e400, 14]", "layers[0].shape[0] is inf, which is no finite number"),
        (("layers", 0, "units"), "1e400", "layers[0].units is inf"),
        (("layers", 0, "units"), "1000000000000", "layers[0].units is 1000000000000, not a whole number"),
        (("layers", 0, "units"), "7" * 5000, "layers[0].units is a number of 5,000 digits"),
        (("layers", 0, "units"), '"8"', "layers[0].units is '8', not a whole number"),
        (("layers", 0, "units"), "true", "layers[0].units is true, not a whole number"),
        (("layers", 0, "geometry", "stride"), "[0, 16]", "layers[0].geometry.stride[0] is 0, not"),
        (("layers", 0, "geometry", "stride"), "[NaN, 16]", "layers[0].geometry.stride[0] is nan"),
        (("layers", 0, "slug"), '"../../etc"', "layers[0].slug is '../../etc', no folder name"),
        (("layers", 0, "slug"), '"/etc"', "layers[0].slug is '/etc', no folder name"),
        (("layers", 0, "folder"), '"../x"', "layers[0].folder is '../x', not layers/"),
        (
            ("layers", 1, "name"),
            '"/stage1/Relu_output_0"',
            "layers[1].name is '/stage1/Relu_output_0'",
        ),
        (("layers", 0, "upsample"), '"own"', "layers[0].upsample is 'own', not"),
        (
            ("parameters", "quantiles"),
            "[0.005, 1.5]",
            "parameters.quantiles[1] is 1.5, not a number",
        ),
        (("parameters", "quantiles"), "[0.01, 0.01]", "parameters.quantiles[1] is 0.01, and so is"),
        (("parameters", "bootstrap"), "1000000000000", "parameters.bootstrap is 1000000000000"),
        (("preprocessing", "mean"), '"x"', "preprocessing.mean is 'x', not a list"),
        (("data", "images"), "13", "images.csv lists 12 images, and data.images of manifest.json is 13"),
        (("layers", 0, "name"), "[" * 100_000 + "]" * 100_000, "nested more than 60 levels deep"),
        (("layers", 0, "name"), '"' + "x" * 200_000 + '"', "layers[0].name is"),
    ],
)
def test_the_file_and_the_field_are_named(
    copy: Path, field: tuple[str | int, ...], value: str, said: str
) -> None:
    path = copy / "manifest.json"
    manifest = holder = json.loads(path.read_text())
    for name in field[:-1]:
        holder = holder[name]
    holder[field[-1]] = "here"
    path.write_text(json.dumps(manifest).replace('"here"', value))
    with pytest.raises(RunFormatError) as caught:
        load(copy)
    assert said in caught.value.message
    assert "manifest.json" in caught.value.message
    assert len(caught.value.message) < 1000


def test_no_value_of_a_field_is_a_bug(copy: Path) -> None:
    path = copy / "manifest.json"
    text = path.read_text()
    for value in VALUES:
        path.write_text(text.replace('"units": 8', f'"units": {value}'))
        with pytest.raises(RunFormatError, match=r"manifest\.json|units\.csv"):
            load(copy)


def test_a_name_twice_in_a_record_is_refused(copy: Path) -> None:
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace('"units": 8', '"units": 8, "units": 8', 1))
    with pytest.raises(RunFormatError, match=r"layers\[0\]\.units is there twice"):
        load(copy)


@pytest.mark.parametrize(
    "name", ["manifest.json", "units.csv", "images.csv", "layers/-stage1-Relu_output_0/tally.npz"]
)
@pytest.mark.parametrize("what", ["pipe", "zero", "outside", "loop", "folder"])
def test_only_files_inside_the_run_are_read(copy: Path, name: str, what: str) -> None:
    path, elsewhere = copy / name, copy.parent / "elsewhere"
    path.rename(elsewhere)
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to({"zero": Path("/dev/zero"), "outside": elsewhere, "loop": path}[what])
    with pytest.raises(RunFormatError) as caught:
        load(copy).counts("relu1")
    assert str(path) in caught.value.message


def test_a_layer_folder_that_leads_out_is_refused(copy: Path) -> None:
    layers = copy / "layers"
    layers.rename(copy.parent / "layers")
    layers.symlink_to(copy.parent / "layers")
    with pytest.raises(RunFormatError, match="leads out of the run directory"):
        load(copy)
    layers.unlink()
    (copy.parent / "layers").rename(copy / "moved")
    layers.symlink_to("moved")
    assert load(copy).counts("relu1").truth.size


def test_claims_of_an_archive_are_compared_with_the_file(copy: Path) -> None:
    without_checksums(copy)
    path = copy / "layers/-stage1-Relu_output_0/tally.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    bomb = np.zeros((8, 4_000_000), np.int64)
    np.savez_compressed(path, **arrays | {"top_images": bomb})
    assert path.stat().st_size < bomb.nbytes / 500
    with pytest.raises(RunFormatError, match="top_images is of shape"):
        load(copy).counts("relu1")
    np.savez(path, **arrays)
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    content[at + 24 : at + 28] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(RunFormatError, match="claims 2,147,483,648 bytes, stored in"):
        load(copy).counts("relu1")
    np.savez(path, **arrays)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("truth.npy", b"")
    with pytest.raises(RunFormatError, match=r"'truth.npy' is in it twice"):
        load(copy).counts("relu1")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("thresholds", np.nan, "thresholds holds values that are not finite"),
        ("top_values", np.inf, "top_values holds values that are not finite"),
        ("intersection", -1, "intersection holds counts below 0"),
        ("activation_total", 2**60, "more pixels than the"),
        ("activation", 10**5, "activation counts pixels outside the masks"),
    ],
)
def test_counts_that_no_run_has_are_refused(copy: Path, name: str, value: float, said: str) -> None:
    without_checksums(copy)
    path = copy / "layers/-stage1-Relu_output_0/tally.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays[name].flat[0] = value
    np.savez(path, **arrays)
    with pytest.raises(RunFormatError, match=said):
        load(copy).counts("relu1")
