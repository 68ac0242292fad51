"""Bases that a run keeps come back as they were, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from onnxdissect.errors import RunFormatError
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.kept import keep_basis, read_kept_basis
from onnxdissect.model.bases.moments import Moments


def bases() -> list[Basis]:
    moments = Moments(5)
    moments.add(np.random.default_rng(0).normal(size=(4, 5, 3, 3)).astype(np.float32))
    return [
        Basis.pca(moments, 3),
        Basis.rotation(5, 1, 0.5),
        Basis.of("sae", np.ones((3, 5)), [1, 0, -1], "topk:2", ["sky", "", "größe"]),
        Basis.of("relu", np.ones((1, 5)), None, "relu"),
    ]


@pytest.mark.parametrize("basis", bases(), ids=lambda basis: basis.name)
def test_they_come_back(tmp_path: Path, basis: Basis) -> None:
    path = tmp_path / "basis.npz"
    keep_basis(path, basis)
    record = json.loads(json.dumps(basis.record))
    again = read_kept_basis(path, record)
    assert again == basis and again.record == basis.record == record
    read = Basis.from_file(path)
    assert (read.digest, read.row_names) == (basis.digest, basis.row_names)
    content = path.read_bytes()
    keep_basis(path, again)
    assert path.read_bytes() == content


def test_another_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "basis.npz"
    first, second, sae, _ = bases()
    with pytest.raises(RunFormatError, match="is missing"):
        read_kept_basis(path, first.record)
    keep_basis(path, first)
    for record in (second.record, {**first.record, "sha256": None}):
        with pytest.raises(RunFormatError, match="holds other numbers than those of the basis"):
            read_kept_basis(path, record)
    with pytest.raises(RunFormatError, match="is no basis that a run keeps: 'name'"):
        read_kept_basis(path, {"kind": "pca"})
    keep_basis(path, sae)
    with pytest.raises(RunFormatError, match=r"is no basis that a run keeps: .* names for 1"):
        read_kept_basis(path, {**sae.record, "names": ["one"]})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunFormatError, match="is damaged"):
        read_kept_basis(path, sae.record)
