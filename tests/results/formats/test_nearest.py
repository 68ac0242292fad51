"""``nearest.csv``: read back as it was written, and refused where it lies."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.basis_runs import fake_basis_run, random_nearest, save_with_nearest

from onnxdissect.errors import RunFormatError
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.kept import keep_basis
from onnxdissect.results import Dissection, NearestUnits, load
from onnxdissect.results.formats.nearest import (
    NEAREST,
    expect_nearest,
    read_nearest_units,
    write_nearest_units,
)


@pytest.fixture
def run(tmp_path: Path) -> Dissection:
    return save_with_nearest(fake_basis_run(), tmp_path / "run")


def stored(run: Dissection) -> Path:
    return run.path / "layers" / run.layers[1].slug / NEAREST


def test_it_is_read_back_exactly(run: Dissection) -> None:
    expected = random_nearest(run.layers[1])
    found = load(run.path).nearest_units(run.layers[1].alias)
    assert found is not None
    np.testing.assert_array_equal(found.unit, expected.unit)
    np.testing.assert_array_equal(found.cosine, expected.cosine)
    content = stored(run).read_bytes()
    write_nearest_units(stored(run).parent, found)
    assert stored(run).read_bytes() == content
    assert content.startswith(b"unit,nearest_unit,cosine\n0,")


def test_every_float_survives(tmp_path: Path) -> None:
    cosine = np.array([1.0, -0.375, 1e-17, 1 / 3, -0.0, np.nextafter(1, 0)])
    write_nearest_units(tmp_path, NearestUnits(np.arange(6), cosine))
    found = read_nearest_units(tmp_path, 6, 6)
    assert found is not None
    assert found.cosine.tobytes() == cosine.tobytes()


def rows(text: str) -> list[str]:
    return text.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "".join(rows(text)[:-1]), r"lists 11 of the 12 units"),
        (lambda text: text + "12,0,0.5\n", r"line 14: there are more than the 12 units"),
        (lambda text: text + rows(text)[-1], r"line 14: there are more than the 12 units"),
        (lambda text: "".join([*rows(text)[:3], *rows(text)[4:]]), r"line 4: unit is '3', not a whole"),
        (lambda text: text.replace("\n3,", "\n4,"), r"line 5: unit is '4'"),
        (lambda text: rows(text)[0], r"lists 0 of the 12 units"),
        (lambda text: "", r"its columns are"),
        (lambda text: text.replace("cosine", "angle"), r"its columns are 'unit,nearest_unit,angle'"),
        *(
            (lambda text, cell=cell: rows(text)[0] + f"0,{cell},0.5\n" + "".join(rows(text)[2:]), "line 2")
            for cell in ("8", "-1", "0.5", "", "nan", "9" * 5000, "٣")
        ),
        *(
            (lambda text, cell=cell: rows(text)[0] + f"0,0,{cell}\n" + "".join(rows(text)[2:]), "line 2")
            for cell in ("nan", "inf", "1.0000001", "-0.36", "-1.5", "1e400", "", "true", "7" * 5000)
        ),
        (lambda text: text.replace("\n3,", "\n3,0,"), r"line 5: 4 cells where there are 3 columns"),
        (lambda text: text + "x" * 2**24, r"longer than 16,777,216 characters"),
        (lambda text: "\x00" * 1000 + text, r"its columns are|line contains NUL"),
    ],
)
def test_a_table_that_lies_is_refused(run: Dissection, change: Callable[[str], str], said: str) -> None:
    path = stored(run)
    path.write_text(change(path.read_text()), newline="")
    with pytest.raises(RunFormatError, match=said) as caught:
        load(run.path).nearest_units(run.layers[1].name)
    assert str(path) in caught.value.message
    assert len(caught.value.message) < 5000


@pytest.mark.parametrize("what", ["pipe", "outside", "nowhere", "folder"])
def test_only_a_file_inside_the_run_is_read(run: Dissection, what: str, tmp_path: Path) -> None:
    path = stored(run)
    path.rename(tmp_path / "elsewhere")
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / {"outside": "elsewhere", "nowhere": "gone"}[what])
    with pytest.raises(RunFormatError) as caught:
        load(run.path).nearest_units(run.layers[1].name)
    assert str(path) in caught.value.message


def test_a_run_without_it_is_of_an_earlier_version(run: Dissection) -> None:
    stored(run).unlink()
    assert load(run.path).nearest_units(run.layers[1].name) is None


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("names", ["a"], r"layers\[1\]\.basis\.names has 1 names for 12 units"),
        ("names", ["a"] * 13, r"layers\[1\]\.basis\.names has 13 names for 12 units"),
        ("names", [1] * 12, r"layers\[1\]\.basis\.names\[0\] is 1, not a text"),
        ("shape", [12, 9], r"layers\[1\]\.basis\.shape is \[12, 9\], and the layer itself has 8 units"),
        ("shape", [11, 8], r"layers\[1\]\.basis\.shape is \[11, 8\], not of 12 units"),
    ],
)
def test_a_basis_fits_its_layer(run: Dissection, field: str, value: Any, said: str) -> None:
    path = run.path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["layers"][1]["basis"][field] = value
    path.write_text(json.dumps(manifest))
    with pytest.raises(RunFormatError, match=said):
        load(run.path)


def test_nearest_units_of_a_known_matrix_are_compared_with_it(tmp_path: Path) -> None:
    run = save_with_nearest(fake_basis_run(units=(8, 12), bases=("mine",)), tmp_path / "run")
    info = run.layers[1]
    folder, matrix = stored(run).parent, np.random.default_rng(3).normal(size=(12, 8))
    basis = Basis.of("mine", matrix)
    keep_basis(folder / "basis.npz", basis)
    record = dict(basis.record)
    right = NearestUnits(*basis.nearest_units())
    expect_nearest(folder, record, right)
    for lying in (
        NearestUnits((right.unit + 1) % 8, right.cosine),
        NearestUnits(right.unit, right.cosine - 1e-3),
    ):
        with pytest.raises(RunFormatError, match="as the nearest to unit 0, where the basis has unit"):
            expect_nearest(folder, record, lying)
    with pytest.raises(RunFormatError, match="holds other numbers"):
        run.nearest_units(info.name)
    (folder / "basis.npz").unlink()
    expect_nearest(folder, record, NearestUnits(right.unit, right.cosine - 1e-3))


@pytest.mark.parametrize(
    "basis", [Basis.identity(6), Basis.permutation(6, 4)], ids=lambda basis: str(basis.kind)
)
def test_nearest_units_that_follow_from_the_record(tmp_path: Path, basis: Basis) -> None:
    right = NearestUnits(*basis.nearest_units())
    expect_nearest(tmp_path, basis.record, right)
    with pytest.raises(RunFormatError, match=r"has unit .* with the cosine 0\.9 as the nearest to unit 0"):
        expect_nearest(tmp_path, basis.record, NearestUnits(right.unit, right.cosine - 0.1))
    with pytest.raises(RunFormatError):
        expect_nearest(tmp_path, basis.record, NearestUnits(right.unit[::-1], right.cosine))


def _record(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["layers"][1]["basis"]
    return found


def _renamed(manifest: dict[str, Any], name: str, **settings: Any) -> None:
    own = manifest["layers"][0]["name"]
    manifest["layers"][1]["name"] = f"{own}/basis/{name}"
    _record(manifest).update(name=name, **settings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: _record(m).update(sha256="0"), "sha256 is '0', not 64 hexadecimal digits"),
        (lambda m: _record(m).update(sha256="A" * 64), "not 64 hexadecimal digits"),
        (lambda m: _record(m).update(file_sha256=""), "file_sha256 is '', not 64"),
        (lambda m: _record(m).update(kind="xxxx" * 1250), "kind is 'xxx"),
        (lambda m: _record(m).update(name="other"), "name is 'other', and the layer is called"),
        (lambda m: _record(m).update(name=""), "name is '', and the layer"),
        (
            lambda m: _renamed(m, "rotation:seed=1,alpha=0.5", kind="rotation", seed=1, alpha=0.123),
            "alpha is 0.123, where the name says 0.5",
        ),
        (
            lambda m: _renamed(m, "permutation:seed=1", kind="permutation", seed=2),
            "seed is 2, where the name says 1",
        ),
        (lambda m: _renamed(m, "pca:n=12", kind="pca"), "n is null, where the name says 12"),
        (lambda m: m.update(archives={"../x": ".."}), "not 8 hexadecimal digits"),
        (lambda m: m.update(archives={}), "does not belong to this run"),
    ],
)
def test_a_manifest_that_lies_of_a_basis(
    run: Dissection, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    path = run.path / "manifest.json"
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    with pytest.raises(RunFormatError) as caught:
        load(run.path)
    assert said in caught.value.message
