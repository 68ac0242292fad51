"""Kept masks scored against other labels are the run that the network gives on those labels, to the byte."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from naive.data import nearest_pixels
from support.commands import called
from support.small_runs import Convolution, broden, contents, dissect, network

import onnxdissect
from onnxdissect.data import annotate, open_dataset
from onnxdissect.data.broden.about import About, write_about
from onnxdissect.errors import (
    DataNotFoundError,
    MasksNotKeptError,
    OnnxDissectError,
    OutputError,
    ParameterError,
    RunMismatchError,
)
from onnxdissect.experiments.relabelling.images import resampled
from onnxdissect.experiments.relabelling.relabel import relabel
from onnxdissect.report import build
from onnxdissect.results.masks.layout import MASKS

IMAGES = 40
RUN: dict[str, Any] = {"quantiles": [0.1, 0.25], "bootstrap": 20, "null": 3, "layers": ["all"], "seed": 5}


def world(folder: Path) -> Path:
    """A network, a data set, and other labels of the same pictures in ``other``."""
    layers = [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1)), Convolution(3, (1, 1), (1, 1), (0, 0, 0, 0))]
    network(folder / "net.onnx", layers, pool=False, seed=1)
    broden(folder / "data", IMAGES, seed=2)
    broden(folder / "other", IMAGES, seed=3)
    write_about(folder / "other", About("others", licence="free"))
    for i in range(IMAGES):
        shutil.copyfile(folder / "data" / "images" / f"{i}.png", folder / "other" / "images" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> onnxdissect.Dissection:
    folder = world(tmp_path_factory.mktemp("kept"))
    return dissect(folder, keep_masks=True, **RUN)


def other(run: onnxdissect.Dissection) -> Path:
    return run.path.parent / "other"


def rewritten(folder: Path, rows: Any) -> None:
    """Change the rows of an index."""
    path = folder / "index.csv"
    with path.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows(lines)])


def without_masks(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if not name.endswith(f"/{MASKS}")}


def test_it_is_the_run_that_the_network_gives_on_these_labels(
    kept: onnxdissect.Dissection, tmp_path: Path
) -> None:
    before = contents(kept.path)
    said: list[str] = []
    found = relabel(kept, other(kept), out=tmp_path / "found", notify=said.append)
    fresh = onnxdissect.dissect(
        kept.path.parent / "net.onnx", other(kept), preset="raw", out=tmp_path / "fresh", **RUN
    )
    assert len(found.units()) == 2 * sum(layer.units for layer in fresh.layers) > 10
    assert contents(found.path) == contents(fresh.path)
    assert contents(kept.path) == before
    told, asked = found.manifest, fresh.manifest
    for section in ("model", "data", "parameters", "preprocessing", "layers", "statistics"):
        assert told[section] == asked[section], section
    assert told["relabelled"] == {
        "run": str(kept.path),
        "data": "data",
        "fingerprint": kept.manifest["data"]["fingerprint"],
        "other_grids": 0,
    }
    assert told["data"]["about"]["licence"] == "free"
    assert not said
    # pictures and labels of its units are those of the other data set
    assert "relu" in build(found).read_text(encoding="utf-8")
    assert (found.path / "report" / "data").is_dir()


def test_images_are_found_by_name_in_any_order_and_among_others(
    kept: onnxdissect.Dissection, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    shutil.copytree(other(kept), more)
    shutil.copyfile(more / "images" / "3.png", more / "images" / "further.png")
    rewritten(more, lambda rows: [["further.png", *rows[3][1:]], *reversed(rows)])
    plain = relabel(kept, other(kept), out=tmp_path / "plain")
    found = relabel(kept, more, out=tmp_path / "found")
    assert contents(found.path) == contents(plain.path)
    assert len(found.images) == IMAGES


def test_its_own_labels_give_the_run_itself(kept: onnxdissect.Dissection, tmp_path: Path) -> None:
    found = relabel(kept, kept.path.parent / "data", out=tmp_path / "found")
    assert contents(found.path) == without_masks(contents(kept.path))


def test_scores_may_be_others(kept: onnxdissect.Dissection, tmp_path: Path) -> None:
    found = relabel(kept, other(kept), out=tmp_path / "found", scoring="lite", iou_threshold=0.2)
    plain = relabel(kept, other(kept), out=tmp_path / "plain")
    onnxdissect.results.rescore(plain.path, scoring="lite", iou_threshold=0.2)
    assert contents(found.path) == contents(plain.path)


def test_label_maps_of_another_size_are_brought_to_the_grid_of_the_run(
    kept: onnxdissect.Dissection, tmp_path: Path
) -> None:
    """The same labels at twice the size are the same labels."""
    finer = tmp_path / "finer"
    shutil.copytree(other(kept), finer)
    for path in (finer / "images").glob("*_*.png"):
        label = cv2.imread(str(path))
        assert label is not None
        cv2.imwrite(str(path), label.repeat(2, axis=0).repeat(2, axis=1))
    rewritten(
        finer, lambda rows: [[*row[:4], str(2 * int(row[4])), str(2 * int(row[5])), *row[6:]] for row in rows]
    )
    said: list[str] = []
    found = relabel(kept, finer, out=tmp_path / "found", notify=said.append)
    plain = relabel(kept, other(kept), out=tmp_path / "plain")
    assert contents(found.path) == contents(plain.path)
    assert found.manifest["relabelled"]["other_grids"] == IMAGES
    assert any("nearest neighbour" in line for line in said)
    assert any("nearest neighbour" in line for line in found.manifest["warnings"])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_pixel_takes_the_labels_at_its_centre(data: st.DataObject) -> None:
    sides = st.integers(1, 9)
    there, wanted = (data.draw(st.tuples(sides, sides)) for _ in range(2))
    maps = data.draw(st.lists(arrays(np.int64, there, elements=st.integers(0, 4)), max_size=3))
    covering = data.draw(st.lists(st.integers(0, 4), max_size=2))
    found = resampled(annotate(there, maps, covering), wanted)
    expected = annotate(wanted, [nearest_pixels(one, wanted) for one in maps], covering)
    assert found.grid == wanted
    assert found.image_labels.tolist() == expected.image_labels.tolist()
    for code in range(1, 6):
        held, right = ((one.planes == code).any(axis=0) for one in (found, expected))
        assert np.array_equal(held, right)
        assert ((found.planes == code).sum(axis=0) <= 1).all()
    assert found.planes.any(axis=(1, 2)).all()


def test_other_pictures_under_the_same_names_are_refused(
    kept: onnxdissect.Dissection, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    broden(wrong, IMAGES, seed=3)
    with pytest.raises(RunMismatchError, match=r"shows something else in wrong") as caught:
        relabel(kept, wrong, out=tmp_path / "found")
    assert "very images" in (caught.value.hint or "")
    assert not (tmp_path / "found").exists()


@pytest.mark.parametrize(("grey", "same"), [(12, True), (90, False)])
def test_a_picture_of_one_grey_is_known_by_it(tmp_path: Path, grey: int, *, same: bool) -> None:
    """A black frame of a film, with noise, and once more at another size."""
    folder = world(tmp_path)
    noise = np.random.default_rng(5).integers(8, 13, (24, 24, 3), np.uint8)
    cv2.imwrite(str(folder / "data" / "images" / "0.png"), noise)
    cv2.imwrite(str(folder / "other" / "images" / "0.png"), np.full((48, 48, 3), grey, np.uint8))
    run = dissect(folder, keep_masks=True)
    if same:
        assert len(relabel(run, folder / "other", out=tmp_path / "found").images) == IMAGES
    else:
        with pytest.raises(RunMismatchError, match=r"0\.png shows something else"):
            relabel(run, folder / "other", out=tmp_path / "found")


def test_where_the_pictures_are_gone_it_says_that_none_were_compared(tmp_path: Path) -> None:
    run = dissect(world(tmp_path), keep_masks=True)
    shutil.rmtree(tmp_path / "data")
    said: list[str] = []
    relabel(run, tmp_path / "other", out=tmp_path / "found", notify=said.append)
    assert any("was not looked at whether the images are the same" in line for line in said)


def test_bad_requests(kept: onnxdissect.Dissection, tmp_path: Path) -> None:
    def refused(kind: type[OnnxDissectError], match: str, data: Any = None, **given: Any) -> None:
        with pytest.raises(kind, match=match):
            relabel(given.pop("run", kept), data or other(kept), **{"out": tmp_path / "out"} | given)
        assert not (tmp_path / "out").exists()

    few = tmp_path / "few"
    shutil.copytree(other(kept), few)
    rewritten(few, lambda rows: rows[3:])
    refused(RunMismatchError, "few lacks 3 of the 40 images of the run .*, such as 0.png", few)
    rewritten(few, lambda rows: [["0.png", *rows[0][1:]], ["1.png", *rows[0][1:]], *rows, rows[0], rows[0]])
    refused(RunMismatchError, "lacks 1 of the 40", few)
    rewritten(few, lambda rows: [["2.png", *rows[0][1:]], *rows])
    refused(RunMismatchError, "the name 3.png stands for several images", few)
    refused(DataNotFoundError, "nowhere", tmp_path / "nowhere")
    refused(ParameterError, "stays as it is", out=kept.path)
    refused(ParameterError, "no scoring", scoring="other")
    refused(ParameterError, "images", min_images=IMAGES + 1)
    refused(OnnxDissectError, "column", groups="film")
    plain = dissect(kept.path.parent, out=tmp_path / "plain", layers=["all"])
    refused(MasksNotKeptError, "keeps no masks", run=plain)
    (tmp_path / "filled").mkdir()
    (tmp_path / "filled" / "letter.txt").write_text("mine")
    refused(OutputError, "not empty", out=tmp_path / "filled")


def test_what_is_there_is_given_back_and_no_run_is_taken_for_it(
    kept: onnxdissect.Dissection, tmp_path: Path
) -> None:
    out = tmp_path / "found"
    relabel(kept, other(kept), out=out)
    said: list[str] = []
    again = relabel(kept, other(kept), out=out, notify=said.append)
    assert again.path == out
    assert ["already holds" in line for line in said] == [True]
    with pytest.raises(RunMismatchError, match="relabelled"):
        onnxdissect.dissect(kept.path.parent / "net.onnx", other(kept), preset="raw", out=out, **RUN)
    with pytest.raises(RunMismatchError, match=r"parameters.scoring"):
        relabel(kept, other(kept), out=out, scoring="pnas")
    assert relabel(kept, other(kept), out=out, scoring="pnas", fresh=True).scoring == "pnas"


def test_a_damaged_label_map_leaves_no_result(kept: onnxdissect.Dissection, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(other(kept), damaged)
    path = sorted((damaged / "images").glob("*_*.png"))[-1]
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(OnnxDissectError, match=path.name):
        relabel(kept, damaged, out=tmp_path / "found")
    with pytest.raises(OnnxDissectError, match=r"unfinished run(.|\n)*rescore ... --data"):
        onnxdissect.load(tmp_path / "found")
    assert not (tmp_path / "found" / "work").exists()


def test_masks_of_layers_under_a_basis_are_relabelled_too(tmp_path: Path) -> None:
    run = dissect(world(tmp_path), keep_masks=True, bases=["permutation:seed=3"], bootstrap=0, null=0)
    found = relabel(run, tmp_path / "other", out=tmp_path / "found")
    under = next(layer for layer in found.layers if layer.basis is not None)
    own = next(layer for layer in found.layers if layer.basis is None)
    nearest = found.nearest_units(under.name)
    assert nearest is not None
    iou, turned = found.iou(own.name)[0], found.iou(under.name)[0]
    assert np.array_equal(turned, iou[nearest.unit])


def test_the_command_writes_a_new_run(kept: onnxdissect.Dissection, tmp_path: Path) -> None:
    out = tmp_path / "found"
    done = called(tmp_path, "rescore", kept.path, "--data", other(kept), "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert f"onnxdissect report {out}" in done.stderr
    plain = relabel(kept, other(kept), out=tmp_path / "plain")
    assert contents(out) == contents(plain.path)
    done = called(tmp_path, "rescore", kept.path, "--out", out)
    assert done.returncode == 2
    assert "--out goes with --data" in done.stderr
    assert open_dataset(other(kept)).fingerprint == onnxdissect.load(out).manifest["data"]["fingerprint"]
