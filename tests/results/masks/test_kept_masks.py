"""Kept masks: of every unit in every image, at every quantile up to the run's largest, by the formula."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive import method as naive
from numpy.typing import NDArray
from support.drawn_counts import World, worlds
from support.models import save
from support.small_runs import SIZE, Convolution, broden, convolutions, dissect, geometry, network
from support.whole_numbers import NETWORKS, maps_of_layer

import onnxdissect
from onnxdissect.core.progress import Silent
from onnxdissect.errors import (
    LayerNotFoundError,
    MasksNotKeptError,
    OnnxDissectError,
    ParameterError,
    RunFormatError,
)
from onnxdissect.pipeline.keep_masks import write_masks
from onnxdissect.results import ImageInfo, LayerInfo
from onnxdissect.results.masks.kept import KeptMasks
from onnxdissect.results.masks.layout import MASKS, MasksLayout

STRICTER = [0.29, 0.1, 0.013]


def assert_masks_are_those_of_the_formula(
    run: onnxdissect.Dissection,
    layer: str,
    activations: NDArray[np.float32],
    field: naive.Field | None,
) -> None:
    kept, counts = run.masks(layer), run.counts(layer)
    n, units = activations.shape[:2]
    for quantile in (*run.quantiles, *STRICTER):
        areas = np.zeros(units, np.int64)
        by_unit = [dict(kept.of_unit(unit, quantile)) for unit in range(units)]
        by_image = [dict(kept.of_image(image, quantile)) for image in range(n)]
        for unit in range(units):
            threshold = float(naive.threshold(activations[:, unit], quantile))
            assert kept.threshold(unit, quantile) == threshold
            for image, info in enumerate(run.images):
                expected = naive.mask(activations[image, unit], info.grid, (SIZE, SIZE), field, threshold)
                found = run.mask(layer, unit, image, quantile)
                assert found.dtype == np.bool_
                np.testing.assert_array_equal(found, expected)
                areas[unit] += found.sum()
                assert (image in by_unit[unit]) == (unit in by_image[image]) == expected.any()
                for listed in (by_unit[unit].get(image), by_image[image].get(unit)):
                    assert listed is None or np.array_equal(listed, expected)
        if quantile in run.quantiles:
            q = run.quantiles.index(quantile)
            np.testing.assert_array_equal(areas, counts.activation_total[q])


@given(
    convolutions(),
    st.booleans(),
    st.integers(0, 2**32),
    st.sampled_from(["receptive-field", "resize"]),
    st.sampled_from([(0.3,), (0.02, 0.3)]),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_masks_of_a_run(
    chain: list[Convolution], pool: bool, seed: int, upsample: str, quantiles: tuple[float, ...]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        world = Path(name)
        network(world / "net.onnx", chain, pool, seed)
        broden(world / "data", 5, seed)
        layer = f"relu{len(chain) - 1}"
        run = dissect(
            world,
            layers=layer,
            upsample=upsample,
            quantiles=quantiles,
            bootstrap=0,
            null=0,
            keep_masks=True,
        )
        pictures = naive.read_broden(world / "data").pictures
        field = geometry(chain, pool) if upsample == "receptive-field" else None
        activations = naive.activations_of(world / "net.onnx", layer, pictures)
        assert_masks_are_those_of_the_formula(run, layer, activations, field)


@pytest.mark.parametrize("kind", NETWORKS)
def test_masks_in_every_layout_and_number_format(kind: str, tmp_path: Path) -> None:
    save(NETWORKS[kind](), tmp_path / "net.onnx")
    broden(tmp_path / "data", 9, seed=4)
    run = dissect(
        tmp_path, layers="layer", upsample="resize", quantiles=[0.3], bootstrap=0, null=0, keep_masks=True
    )
    pictures = naive.read_broden(tmp_path / "data").pictures
    activations = maps_of_layer(tmp_path / "net.onnx", kind, pictures)
    assert activations.any()
    assert_masks_are_those_of_the_formula(run, "layer", activations, None)


@given(
    worlds(),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(1, 4),
    st.sampled_from([1, 100, 10**8]),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_masks_out_of_chunks_of_any_size(
    world: World, chunk: tuple[int, int], batch: int, memory: int, data: st.DataObject
) -> None:
    plan = world.plan(block=batch)
    passed, counted = world.dissect(plan, batch=1)
    n, k, h, w = world.activations.shape
    lowest = counted.thresholds.min(axis=0)
    layout = MasksLayout(n, k, chunk, (h, w), plan.pixels, world.field, lowest)
    info = LayerInfo("layer", "layer", "layer", "Relu", "NCHW", k, (h, w), None, "resize")
    infos = [ImageInfo(str(i), "", annotation.grid) for i, annotation in enumerate(world.annotations)]
    largest = max(world.quantiles)
    quantiles = [*world.quantiles, data.draw(st.floats(0.001, largest))]
    with tempfile.TemporaryDirectory() as name:
        write_masks(passed.spool, [Path(name)], [layout], plan.grids, 2, Silent())
        kept = KeptMasks(Path(name) / MASKS, info, infos, world.quantiles, counted.thresholds, memory)
        for quantile in quantiles:
            for unit in range(k):
                threshold = float(naive.threshold(world.activations[:, unit], quantile))
                assert kept.threshold(unit, quantile) == threshold
                for image in range(n):
                    grid = infos[image].grid
                    expected = naive.mask(
                        world.activations[image, unit], grid, world.pixels, world.field, threshold
                    )
                    np.testing.assert_array_equal(kept.mask(unit, image, quantile), expected)


# Asking


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    network(folder / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(folder / "data", 7, seed=2)
    dissect(folder, layers="relu0", quantiles=[0.05, 0.2], keep_masks=True, top=2, null=0, bootstrap=0)
    dissect(folder, layers="relu0", quantiles=[0.05], top=2, null=0, bootstrap=0, out=folder / "without")
    return folder


def test_images_go_by_number_and_name(world: Path) -> None:
    run = onnxdissect.load(world / "run")
    for number, image in enumerate(run.images):
        np.testing.assert_array_equal(
            run.mask("relu0", 1, image.name, 0.2), run.mask("relu0", 1, number, 0.2)
        )
    np.testing.assert_array_equal(run.mask("relu0", 1, 3), run.mask("relu0", 1, 3, 0.05))


def test_top_masks_are_the_masks_of_their_images(world: Path) -> None:
    run = onnxdissect.load(world / "run")
    for unit, images in enumerate(run.counts("relu0").top_images):
        for rank, image in enumerate(images):
            for quantile in run.quantiles:
                np.testing.assert_array_equal(
                    run.mask("relu0", unit, int(image), quantile), run.top_mask("relu0", unit, rank, quantile)
                )


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        (("relu9", 0, 0, None), LayerNotFoundError, "relu9.*\ncandidates:.*relu0"),
        (("relu0", 4, 0, None), ParameterError, "no unit 4: the layer has units 0 to 3"),
        (("relu0", -1, 0, None), ParameterError, "no unit -1"),
        (("relu0", 0, 7, None), ParameterError, "no image 7: the run has images 0 to 6"),
        (("relu0", 0, "33.png", None), ParameterError, r"no image '33.png'\ncandidates: 3.png"),
        (
            ("relu0", 0, 0, 0.5),
            ParameterError,
            r"candidates: 0\.05, 0\.2\nhint:.*--quantile 0\.5 --keep-masks",
        ),
        (("relu0", 0, 0, 0.0), ParameterError, "strictly between 0 and 1"),
        (("relu0", 0, 0, "x"), ParameterError, "strictly between 0 and 1, and 'x' does not"),
        (("relu0", 0, 0, [0.05]), ParameterError, r"strictly between 0 and 1, and \[0\.05\] does not"),
        (("relu0", "3", 0, None), ParameterError, "no unit '3': the layer has units 0 to 3"),
        (("relu0", True, 0, None), ParameterError, "no unit True"),
        (("relu0", 0, None, None), ParameterError, "no image None: the run has images 0 to 6"),
        (("relu0", 0, True, None), ParameterError, "no image True"),
    ],
)
def test_what_is_not_there_is_refused(
    world: Path, asked: tuple[Any, Any, Any, Any], kind: type[OnnxDissectError], said: str
) -> None:
    run = onnxdissect.load(world / "run")
    with pytest.raises(kind, match="(?s)" + said):
        run.mask(*asked)
    if kind is ParameterError:
        unit, image, quantile = asked[1:]
        with pytest.raises(kind, match="(?s)" + said):
            kept = run.masks("relu0")
            # At once, not only when the first mask is taken.
            (kept.of_image(image, quantile), kept.of_unit(unit, quantile))


def test_a_run_without_kept_masks_has_those_of_top_images(world: Path) -> None:
    run, kept = onnxdissect.load(world / "without"), onnxdissect.load(world / "run")
    top_images = run.counts("relu0").top_images
    for unit, images in enumerate(top_images):
        for image in range(7):
            if image in images:
                np.testing.assert_array_equal(run.mask("relu0", unit, image), kept.mask("relu0", unit, image))
                continue
            with pytest.raises(MasksNotKeptError, match="top images only") as caught:
                run.mask("relu0", unit, image)
            assert str(run.path) in (caught.value.hint or "")
            assert "--keep-masks --fresh" in (caught.value.hint or "")
    with pytest.raises(MasksNotKeptError, match="keeps no masks"):
        run.masks("relu0")
    with pytest.raises(MasksNotKeptError, match=r"top images at quantile 0\.05\nhint:.*--keep-masks"):
        run.mask("relu0", 0, int(top_images[0, 0]), 0.01)


def test_images_of_one_name_are_told_apart_by_number(world: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(world / "run", tmp_path / "run"))
    table = (copy / "images.csv").read_text().replace("4.png", "2.png")
    (copy / "images.csv").write_text(table)
    run = onnxdissect.load(copy)
    with pytest.raises(ParameterError, match=r"several images are called '2\.png'\nhint: .*2, 4"):
        run.mask("relu0", 0, "2.png")


# Damage


@pytest.fixture
def copy(world: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(world / "run", tmp_path / "run"))


def rewritten(path: Path, **changes: NDArray[np.generic]) -> None:
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(path, **arrays | {name.replace("__", "."): array for name, array in changes.items()})


def test_a_truncated_file_is_refused_at_any_length(copy: Path) -> None:
    path = copy / "layers" / "relu0" / MASKS
    content = path.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:length])
        with pytest.raises(RunFormatError, match=r"masks\.npz is damaged"):
            onnxdissect.load(copy).mask("relu0", 0, 0)
    path.unlink()
    run = onnxdissect.load(copy)
    with pytest.raises(RunFormatError, match=r"masks\.npz is missing"):
        run.mask("relu0", 0, 0)


def test_flipped_bytes_are_refused_or_change_nothing(copy: Path) -> None:
    path = copy / "layers" / "relu0" / MASKS
    content = path.read_bytes()
    whole = [m.tolist() for _, m in onnxdissect.load(copy).masks("relu0").of_unit(1, 0.2)]
    refused = 0
    for at in np.random.default_rng(0).integers(0, len(content), 60).tolist():
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            found = [m.tolist() for _, m in onnxdissect.load(copy).masks("relu0").of_unit(1, 0.2)]
        except RunFormatError:
            refused += 1
        else:
            assert found == whole
    assert refused > 20


def test_files_of_other_versions_and_runs_are_refused(copy: Path) -> None:
    path = copy / "layers" / "relu0" / MASKS
    whole = path.read_bytes()
    with np.load(path) as archive:
        sizes, cells, values = (archive[f"0.0.{name}"] for name in ("sizes", "cells", "values"))
        lowest, anchor = archive["lowest"], archive["anchor"]
    changes: list[tuple[str, dict[str, NDArray[np.generic]]]] = [
        ("is of format version 2, this version of onnxdissect reads 1", {"format_version": np.array(2)}),
        ("does not belong to this run", {"extent": np.array([8, 4])}),
        ("does not belong to this run", {"lowest": lowest + 1}),
        ("is damaged: its sizes", {"chunk": np.array([0, 32])}),
        ("is damaged: 3 thresholds", {"lowest": lowest[:3]}),
        ("does not hold maps", {"0__0__sizes": sizes[:-1]}),
        ("does not hold maps", {"0__0__sizes": sizes + 1}),
        ("does not hold maps", {"0__0__cells": cells + 1000}),
        ("does not hold maps", {"0__0__cells": cells[::-1]}),
        ("does not hold maps", {"0__0__values": np.where(values == values.max(), np.nan, values)}),
        ("does not hold maps", {"0__0__values": np.where(values == values.max(), np.inf, values)}),
        ("its cells lie elsewhere", {"input": np.array([1, 1])}),
        ("its cells lie elsewhere", {"anchor": anchor + np.array([[1], [0]])}),
        ("its cells lie elsewhere", {"anchor": anchor[:0]}),
        ("is damaged: its anchor", {"anchor": anchor * [[1], [0]]}),
        ("is damaged: its anchor", {"anchor": anchor * [[1], [-1]]}),
        ("is damaged: its anchor", {"anchor": anchor * [[np.nan], [1]]}),
        ("is damaged", {"0__0__cells": cells.astype(np.int64)}),
    ]
    for said, arrays in changes:
        path.write_bytes(whole)
        rewritten(path, **arrays)
        with pytest.raises(RunFormatError, match=said):
            onnxdissect.load(copy).mask("relu0", 0, 0)
