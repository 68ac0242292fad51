"""Plain images with the labels of a segmenter, as a data set."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from naive import segmenter as naive
from numpy.typing import NDArray
from PIL import Image
from support.models import Builder, save
from support.segmenters import BIASES, SIDE, WEIGHTS, classes, photographs, picture, segmenter, truth, world

from onnxdissect.data import Dataset, open_data
from onnxdissect.errors import (
    DataError,
    EmptyDataError,
    ImageFileError,
    ModelError,
    ParameterError,
    ProviderError,
)
from onnxdissect.model import provider_states


def spec(folder: Path, query: str = "") -> str:
    return f"segmenter:{folder}/seg.onnx?images={folder}/photos&classes={folder}/classes.txt{query}"


def plane(dataset: Dataset, i: int) -> list[list[int]]:
    (found,) = dataset.read_annotation(i).planes
    assert found.dtype == np.uint16
    assert isinstance(found.tolist(), list)
    return [list(map(int, row)) for row in found]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("ending", ["logits", "softmax", "argmax"])
def test_pixels_get_their_class(tmp_path: Path, ending: str, channels_last: bool) -> None:
    dataset = open_data(spec(world(tmp_path, segmenter(ending, channels_last=channels_last))))
    assert [dataset.image_name(i) for i in range(4)] == ["a/0.png", "a/2.png", "b/1.png", "b/3.png"]
    for i, seed in enumerate((0, 2, 1, 3)):
        assert np.array_equal(dataset.read_image(i), picture(seed))
        assert plane(dataset, i) == (truth(picture(seed)) + 1).tolist()
    assert dataset.grid(0) == (SIDE, SIDE)
    assert dataset.image_size == (SIDE, SIDE)
    assert dataset.name == "photos-by-seg"
    assert {dataset.split(i) for i in range(4)} == {"train"}


def test_labels_lie_on_the_grid_of_the_output(tmp_path: Path) -> None:
    dataset = open_data(spec(world(tmp_path, segmenter(stride=2))))
    assert dataset.grid(0) == (8, 8)
    assert plane(dataset, 0) == (truth(picture(0))[::2, ::2] + 1).tolist()


@pytest.mark.parametrize("ending", ["logits", "argmax"])
@pytest.mark.parametrize("grid", [4, 32])
def test_another_grid_can_be_asked_for(tmp_path: Path, ending: str, grid: int) -> None:
    dataset = open_data(spec(world(tmp_path, segmenter(ending)), f"&grid={grid}"))
    assert dataset.grid(0) == (grid, grid)
    expected = naive.at_centres(truth(picture(0)), (grid, grid)) + 1
    # scores between two quarters mix
    sure = off_border(grid) if ending == "logits" else slice(None)
    assert np.array_equal(np.array(plane(dataset, 0))[sure], expected[sure])


def off_border(side: int) -> tuple[NDArray[np.int64], ...]:
    """Pixels of a square picture that do not touch its middle."""
    lines = [at for at in range(side) if not side // 2 - 2 < at <= side // 2] if side > 4 else range(side)
    return np.ix_(lines, lines)


def scores(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    found = np.einsum("kc,hwc->khw", WEIGHTS, image.astype(np.float32) / 255) + BIASES[:, None, None]
    return np.asarray(found, np.float32)


@pytest.mark.parametrize("ending", ["logits", "softmax"])
def test_unsure_pixels_are_unlabelled(tmp_path: Path, ending: str) -> None:
    world(tmp_path, segmenter(ending))
    shades = np.zeros((SIDE, SIDE, 3), np.uint8)
    shades[:, :, 0] = np.linspace(0, 255, SIDE).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "photos" / "a" / "0.png"), shades[:, :, ::-1])
    dataset = open_data(spec(tmp_path, "&confidence=0.85"))
    expected = naive.chosen(scores(shades), 0.85) + 1
    assert set(np.unique(expected)) == {0, 1, 2}
    assert plane(dataset, 0) == expected.tolist()


def test_what_scores_are_can_be_said(tmp_path: Path) -> None:
    world(tmp_path)
    with pytest.raises(DataError, match="which are no probabilities") as caught:
        open_data(spec(tmp_path, "&confidence=0.9&scores=probabilities")).read_annotation(0)
    assert "scores=logits" in str(caught.value.hint)


def test_images_of_any_size_are_brought_to_that_of_the_segmenter(tmp_path: Path) -> None:
    world(tmp_path)
    photographs(tmp_path / "photos", 4, (48, 64))
    photographs(tmp_path / "photos", 1, (8, 8))
    dataset = open_data(spec(tmp_path))
    assert dataset.image_size == (48, 64)
    assert dataset.read_image(1).shape == (48, 64, 3)
    assert plane(dataset, 1) == (truth(picture(2)) + 1).tolist()
    small = np.array(plane(dataset, 0))[off_border(SIDE)]
    assert np.array_equal(small, truth(picture(0))[off_border(SIDE)] + 1)


def test_a_network_of_any_size_runs_at_that_of_most_images(tmp_path: Path) -> None:
    world(tmp_path, segmenter(shape=("N", 3, "h", "w")))
    photographs(tmp_path / "photos", 3, (12, 20))
    assert open_data(spec(tmp_path)).grid(0) == (12, 20)
    assert open_data(spec(tmp_path, "&size=10x6")).grid(0) == (10, 6)


def test_a_frozen_batch_is_filled_up(tmp_path: Path) -> None:
    dataset = open_data(spec(world(tmp_path, segmenter(shape=(3, 3, SIDE, SIDE)))))
    assert plane(dataset, 0) == (truth(picture(0)) + 1).tolist()


@pytest.mark.parametrize("ending", ["scores", "chosen"])
def test_a_network_that_takes_one_picture_without_a_batch(tmp_path: Path, ending: str) -> None:
    world(tmp_path)
    b = Builder((3, SIDE, SIDE))
    alone = b.node("Unsqueeze", b.image, b.constant([0], np.int64))
    scores = b.node("Conv", alone, b.constant(WEIGHTS[:, :, None, None] / 255), b.constant(BIASES))
    if ending == "chosen":
        scores = b.node("ArgMax", scores, axis=1, keepdims=0)
    save(b.model(b.node("Squeeze", scores, b.constant([0], np.int64), name=ending)), tmp_path / "seg.onnx")
    dataset = open_data(spec(tmp_path, "&preset=raw"))
    assert plane(dataset, 0) == (truth(picture(0)) + 1).tolist()


def test_scores_beyond_single_precision_are_told(tmp_path: Path) -> None:
    world(tmp_path)
    b = Builder(("N", 3, SIDE, SIDE))
    scores = b.node("Conv", b.image, b.constant(WEIGHTS[:, :, None, None]), b.constant(BIASES))
    huge = b.node("Mul", b.node("Cast", scores, to=11), b.constant(1e300, np.float64), name="huge")
    save(b.model(huge), tmp_path / "seg.onnx")
    with pytest.raises(DataError, match="gives NaN or infinity in 'huge'"):
        open_data(spec(tmp_path, "&preset=unit")).read_annotation(0)


def test_its_preprocessing_is_its_own(tmp_path: Path) -> None:
    world(tmp_path, segmenter(describe=False))
    right = open_data(spec(tmp_path, "&preset=unit"))
    assert plane(right, 0) == (truth(picture(0)) + 1).tolist()
    turned = open_data(spec(tmp_path, "&preset=unit&channels=bgr"))
    red, blue = (np.array(plane(one, 0)) for one in (right, turned))
    assert np.array_equal(red == 2, blue == 4)
    # pixels up to 255 outweigh the grey of the background
    assert set(np.unique(plane(open_data(spec(tmp_path, "&preset=raw")), 0))) == {1, 2, 3, 4}
    assert right.fingerprint != turned.fingerprint


def test_a_provider_that_is_not_there_is_told_as_it_is_asked_for_here(tmp_path: Path) -> None:
    if any(state.available for state in provider_states() if state.name == "cuda"):
        pytest.skip("CUDA is here")
    dataset = open_data(spec(world(tmp_path), "&provider=cuda"))
    with pytest.raises(ProviderError, match=r"the segmenter seg.onnx: the cuda provider") as caught:
        dataset.read_annotation(0)
    assert "--provider" not in str(caught.value.hint)


def test_many_threads_get_the_same_labels(tmp_path: Path) -> None:
    dataset = open_data(spec(world(tmp_path)))
    expected = [plane(open_data(spec(tmp_path)), i) for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: plane(dataset, i % 4), range(40)))
    assert found == expected * 10


def test_it_pickles_as_what_was_asked_for(tmp_path: Path) -> None:
    from onnxdissect.segmenter.dataset import open_dataset
    from onnxdissect.segmenter.spec import parse_spec

    whole = open_dataset(parse_spec(spec(world(tmp_path)).partition(":")[2]), groups="folder")
    part = whole.subset(limit=3)
    part.read_annotation(0)
    content = pickle.dumps(part)
    assert len(content) < 1000
    again = pickle.loads(content)
    assert (len(again), again.fingerprint) == (3, part.fingerprint)
    assert np.array_equal(again.read_annotation(2).planes, part.read_annotation(2).planes)
    assert again.groups().tolist() == [0, 0, 1]
    save(segmenter(opset=16), tmp_path / "seg.onnx")
    with pytest.raises(DataError, match=r"seg.onnx has changed"):
        pickle.loads(content)
    save(segmenter(), tmp_path / "seg.onnx")
    (tmp_path / "photos" / "a" / "2.png").unlink()
    with pytest.raises(DataError, match=r"a/2.png has changed, or is gone"):
        pickle.loads(content)


def test_groups_are_folders_or_prefixes(tmp_path: Path) -> None:
    world(tmp_path)
    assert open_data(spec(tmp_path)).groups() is None
    found = open_data(spec(tmp_path), groups="folder")
    assert found.grouped_by == "folder"
    assert found.groups() is not None
    with pytest.raises(ParameterError, match="no table with a column 'film'"):
        open_data(spec(tmp_path), groups="film")


def test_the_fingerprint_is_of_all_that_decides_the_labels(tmp_path: Path) -> None:
    world(tmp_path)
    base = open_data(spec(tmp_path)).fingerprint
    assert open_data(spec(tmp_path, "&links=follow")).fingerprint == base
    others = {
        open_data(spec(tmp_path, f"&{q}")).fingerprint for q in ("grid=8", "confidence=0.5", "ignore=0")
    }
    assert len(others | {base}) == 4
    classes(tmp_path / "classes.txt", ("background", "red", "green", "azure"))
    assert open_data(spec(tmp_path)).fingerprint != base
    classes(tmp_path / "classes.txt")
    assert open_data(spec(tmp_path)).fingerprint == base
    save(segmenter(seed=1, opset=16), tmp_path / "seg.onnx")
    assert open_data(spec(tmp_path)).fingerprint != base
    save(segmenter(), tmp_path / "seg.onnx")
    (tmp_path / "photos" / "a" / "0.png").rename(tmp_path / "photos" / "a" / "00.png")
    assert open_data(spec(tmp_path)).fingerprint != base


def test_what_is_no_finite_number_is_told_with_the_image(tmp_path: Path) -> None:
    dataset = open_data(spec(world(tmp_path, segmenter("nan"))))
    with pytest.raises(DataError) as caught:
        dataset.read_annotation(2)
    assert "seg.onnx gives NaN or infinity in 'roots' for image b/1.png" in caught.value.message


def test_folders_without_images(tmp_path: Path) -> None:
    world(tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(EmptyDataError, match="holds no image"):
        open_data(spec(tmp_path).replace("/photos", "/none"))
    with pytest.raises(DataError, match="there is no folder of images"):
        open_data(spec(tmp_path).replace("/photos", "/fotos"))
    with pytest.raises(ModelError, match="there is no file"):
        open_data(spec(tmp_path).replace("/seg.onnx", "/sag.onnx"))


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    world(tmp_path)
    place = tmp_path / "photos" / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right makes it upright
    Image.fromarray(picture(5)).save(place, exif=exif, quality=100, subsampling=0)
    dataset = open_data(spec(tmp_path))
    assert dataset.image_name(4) == "turned.jpg"
    upright = np.rot90(picture(5), -1)
    assert int(np.abs(dataset.read_image(4).astype(int) - upright).max()) < 20
    assert plane(dataset, 4) == (np.rot90(truth(picture(5)), -1) + 1).tolist()


def test_a_damaged_image_is_told_when_it_is_read(tmp_path: Path) -> None:
    world(tmp_path)
    place = tmp_path / "photos" / "a"
    (place / "2.png").write_bytes((place / "2.png").read_bytes()[:40])
    (place / "4.jpg").write_bytes(b"")
    dataset = open_data(spec(tmp_path))
    dataset.read_annotation(0)
    for i, name in ((1, "a/2.png"), (2, "a/4.jpg")):
        with pytest.raises(ImageFileError, match=f"image {name} of"):
            dataset.read_annotation(i)


def test_links_stay_in_the_folder_unless_they_may_leave(tmp_path: Path) -> None:
    world(tmp_path)
    photographs(tmp_path / "other", 1)
    (tmp_path / "photos" / "c.png").symlink_to(tmp_path / "other" / "a" / "0.png")
    (tmp_path / "photos" / "d.png").symlink_to("a/0.png")
    dataset = open_data(spec(tmp_path))
    assert [dataset.image_name(i) for i in range(6)][4:] == ["c.png", "d.png"]
    assert plane(dataset, 5) == plane(dataset, 0)
    for read in (lambda: dataset.read_image(4), lambda: dataset.fingerprint):
        with pytest.raises(ImageFileError, match="leads out of") as caught:
            read()
        assert "links=follow" in str(caught.value.hint)
    followed = open_data(spec(tmp_path, "&links=follow"))
    assert plane(followed, 4) == plane(dataset, 0)
    assert followed.fingerprint
