"""Runs on clusters of processes give the bytes of the plain run, and leave nothing behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clusters import OPTIONS, cluster, nothing_left, small_inputs
from support.processes import Chunks
from support.small_runs import contents

import onnxdissect
from onnxdissect.core.state.pass_state import PassState

pytest.importorskip("distributed.client")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return small_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def plain(inputs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain") / "run"
    return onnxdissect.dissect(*inputs, out=out, keep_masks=True, **OPTIONS).path


@pytest.fixture(scope="module", params=[1, 2, 4])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    with cluster(request.param) as found:
        yield found


def manifest(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    return {key: value for key, value in found.items() if key not in ("timing", "memory")}


def test_a_cluster_gives_the_bytes_of_the_plain_run(
    client: Any, inputs: tuple[Path, Path], plain: Path, tmp_path: Path
) -> None:
    there = onnxdissect.dissect(*inputs, out=tmp_path / "run", keep_masks=True, client=client, **OPTIONS)
    assert contents(there.path) == contents(plain)
    assert len(contents(plain)) > 10
    assert manifest(there.path) == manifest(plain)
    assert not (there.path / "work").exists()
    assert nothing_left(client)


def test_layers_under_bases_and_relative_paths(
    client: Any, inputs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(inputs[0].parent)
    asked = OPTIONS | {"bases": ["rotation:seed=1,alpha=0.5", "pca:n=2"], "null": 0, "limit": 11}
    here = onnxdissect.dissect("net.onnx", "data", out=tmp_path / "here", **asked)
    there = onnxdissect.dissect("net.onnx", "data", out=tmp_path / "there", client=client, **asked)
    assert contents(there.path) == contents(here.path)
    assert len(here.layers) > 4


def test_fewer_images_than_workers(client: Any, inputs: tuple[Path, Path], tmp_path: Path) -> None:
    asked = OPTIONS | {"limit": 2}
    here = onnxdissect.dissect(*inputs, out=tmp_path / "here", **asked)
    there = onnxdissect.dissect(*inputs, out=tmp_path / "there", client=client, **asked)
    assert contents(there.path) == contents(here.path)


def test_a_run_that_was_interrupted_without_a_cluster_goes_on_with_one(
    client: Any, inputs: tuple[Path, Path], plain: Path, tmp_path: Path
) -> None:
    def given(states: list[PassState]) -> Iterator[PassState]:
        yield from states[:2]
        raise RuntimeError("the node died")

    asked = OPTIONS | {"out": tmp_path / "run", "keep_masks": True}
    with pytest.raises(RuntimeError):
        onnxdissect.dissect(*inputs, client=Chunks(tmp_path, given), **asked)
    said: list[str] = []
    there = onnxdissect.dissect(*inputs, client=client, notify=said.append, **asked)
    assert "going on with the interrupted run after 16 of 38 images" in said
    assert contents(there.path) == contents(plain)


@pytest.mark.parametrize(
    ("images", "threads", "size"),
    [(38, 2, 5), (2, 4, 1), (63_305, 8, 1979), (10**8, 1000, 25_000), (10**8, 100_000, 24_415)],
)
def test_parts_grow_with_the_job_and_do_not_become_more(images: int, threads: int, size: int) -> None:
    from onnxdissect.distributed.executor import part_size

    assert part_size(images, threads) == size
    assert -(-images // size) <= 4096
