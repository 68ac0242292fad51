"""Units removed to a mean: whose mean it is, and that the score changes as in a file edited by hand."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from naive import explanation as naive
from naive import shapley as naive_shapley
from numpy.typing import NDArray
from support.compared_runs import with_manifest
from support.explained import CLASSES, split_at
from support.models import run_whole
from support.transformers import transformer

import onnxdissect
from onnxdissect.core.progress import Silent
from onnxdissect.data import open_data
from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.data.labelled_images import image_files
from onnxdissect.errors import (
    DataError,
    DataNotFoundError,
    EmptyDataError,
    ImageFileError,
    ParameterError,
    RunMismatchError,
)
from onnxdissect.experiments.class_scores.variants import set_to
from onnxdissect.experiments.explanation.reference.batches import prepared_batches
from onnxdissect.experiments.explanation.reference.means import ReferenceMeans

Array = NDArray[Any]


def explain(world: Path, **options: Any) -> onnxdissect.Explanation:
    pixels = np.random.default_rng(0).integers(0, 4, (31, 47, 3)).astype(np.uint8)
    (found,) = onnxdissect.explain(world / "net.onnx", pixels, world / "run", **options)
    return found


def fed(pixels: Array) -> Array:
    """The image as the run's preprocessing, raw at 12 x 12, makes it."""
    if pixels.shape[:2] != (12, 12):
        pixels = cv2.resize(pixels, (12, 12), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


def means(world: Path, pictures: list[Array]) -> Array:
    """One number per unit, image by image through the file as it is."""
    maps = [run_whole(world / "net.onnx", ["deep"], fed(one))[0][0] for one in pictures]
    return np.asarray(np.mean([one.astype(np.float64).mean(axis=(1, 2)) for one in maps], axis=0))


def labelled(world: Path, *names: str) -> list[Array]:
    paths = [path for name in names for path in sorted((world / "labelled" / name).iterdir())]
    return [read_image(path, path.name) for path in paths]


def removed_by_hand(world: Path, values: Array, number: int) -> Array:
    pixels = np.random.default_rng(0).integers(0, 4, (31, 47, 3)).astype(np.uint8)

    def score(unit: int | None) -> float:
        there = np.array([k != unit for k in range(6)], np.float64)
        return naive.score_with_factors(
            world / "net.onnx", "deep", 1, there, fed(pixels), "logits", number, (1 - there) * values
        )

    return score(None) - np.array([score(unit) for unit in range(6)])


def test_the_mean_is_that_of_the_runs_own_images(world: Path) -> None:
    data = open_data(world / "data")
    expected = means(world, [data.read_image(i) for i in range(len(data))])
    found = explain(world, ablate="mean")
    assert (found.attribution, found.ablated_to, found.reference) == (
        "ablation",
        "mean",
        "the 12 images of data",
    )
    by_hand = removed_by_hand(world, expected, found.class_index)
    np.testing.assert_allclose(found.contributions, by_hand, atol=1e-5)
    zero = explain(world, attribution="ablation")
    assert (zero.ablated_to, zero.reference) == ("zero", "")
    assert np.abs(np.subtract(found.contributions, zero.contributions)).max() > 1e-3
    # the same, named, and opened
    for reference in (world / "data", data):
        assert explain(world, ablate="mean", reference=reference).contributions == found.contributions


def test_the_mean_of_other_classes_leaves_out_the_one_explained(world: Path) -> None:
    for number, name in enumerate(CLASSES):
        others = [one for one in CLASSES if one != name]
        found = explain(
            world, attribution="ablation", ablate="other-classes", reference=world / "labelled", target=name
        )
        by_hand = removed_by_hand(world, means(world, labelled(world, *others)), number)
        np.testing.assert_allclose(found.contributions, by_hand, atol=1e-5)
        assert found.reference == f"those of the 18 images of {world / 'labelled'} that show another class"
    everything = explain(world, ablate="mean", reference=world / "labelled")
    flat = explain(world, ablate="mean", reference=world / "labelled" / CLASSES[0])
    assert flat.reference == f"the 6 images of {world / 'labelled' / CLASSES[0]}"
    by_hand = removed_by_hand(world, means(world, labelled(world, CLASSES[0])), flat.class_index)
    np.testing.assert_allclose(flat.contributions, by_hand, atol=1e-5)
    assert everything.reference == f"the 18 images of {world / 'labelled'}"
    by_hand = removed_by_hand(world, means(world, labelled(world, *CLASSES)), everything.class_index)
    np.testing.assert_allclose(everything.contributions, by_hand, atol=1e-5)


def test_players_of_shapley_are_removed_to_the_mean_too(world: Path) -> None:
    values = means(world, labelled(world, *CLASSES))
    options = {"ablate": "mean", "reference": world / "labelled"}
    found = explain(world, attribution="shapley", **options)
    pixels = fed(np.random.default_rng(0).integers(0, 4, (31, 47, 3)).astype(np.uint8))

    @cache
    def score(joined: frozenset[int]) -> float:
        there = np.array([k in joined for k in range(6)], np.float64)
        return naive.score_with_factors(
            world / "net.onnx", "deep", 1, there, pixels, "logits", found.class_index, (1 - there) * values
        )

    np.testing.assert_allclose(found.contributions, naive_shapley.of_all_orders(score, 6), atol=1e-4)
    assert found.bias == pytest.approx(score(frozenset()), abs=1e-5)


@pytest.mark.parametrize("order", ["NTC", "TNC"])
def test_a_unit_is_set_at_all_places_also_of_tokens(tmp_path: Path, order: str) -> None:
    _, layer, _, parts, image = split_at(transformer(2, 1, order=order), "block", tmp_path)
    activations = parts.activations(image)
    values = np.arange(layer.units, dtype=np.float64) - 2.5
    changed = parts.units_first(set_to(parts, activations, values))
    assert changed.shape == parts.units_first(activations).shape
    assert (changed == values.reshape(1, -1, *(1,) * (changed.ndim - 2))).all()


@pytest.mark.parametrize(("count", "layer_bytes"), [(1, 1), (5, 2**24), (40, 1), (3, 2**30)])
def test_batches_are_all_images_in_order(count: int, layer_bytes: int) -> None:
    told: list[int] = []

    class Counting(Silent):
        def advance(self, images: int) -> None:
            told.append(images)

    batches = list(
        prepared_batches(lambda i: np.full((1, 3), i), count, layer_bytes, Counting(), "reference")
    )
    assert np.concatenate([images for _, images in batches])[:, 0].tolist() == list(range(count))
    assert [i for chosen, _ in batches for i in range(count)[chosen]] == list(range(count))
    assert max(told) <= max(1, min(32, 2**25 // layer_bytes)) and sum(told) == count


def test_images_of_a_folder_are_found_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for name in ("c.JPG", "b/deep/a.png", "b/notes.txt", ".hidden/d.png", ".e.png"):
        (tmp_path / name).write_bytes(b"")
    assert [str(path.relative_to(tmp_path)) for path in image_files(tmp_path)] == ["b/deep/a.png", "c.JPG"]
    with pytest.raises(EmptyDataError, match="holds no image"):
        (tmp_path / "empty").mkdir()
        image_files(tmp_path / "empty")


def test_a_class_that_all_images_show_has_no_mean_of_others() -> None:
    only = ReferenceMeans("photos", np.ones((3, 2)), np.array([0, 4, 0]), by_class=True)
    with pytest.raises(ParameterError, match="photos holds 4 images of the class explained alone") as error:
        only.values(1)
    assert error.value.hint is not None and "--ablate mean" in error.value.hint
    assert only.values(0).tolist() == [0.5, 0.5]


# ---------------------------------------------------------------------------------------------- refusals


def test_reference_images_without_classes_or_of_unknown_ones(world: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no scenes") as told:
        explain(world, ablate="other-classes")
    assert told.value.hint is not None and told.value.hint.startswith("--reference")
    shutil.copytree(world / "labelled", tmp_path / "photos")
    (tmp_path / "photos" / "kitchen").rename(tmp_path / "photos" / "kitchens")
    with pytest.raises(ParameterError, match=r"kitchens/00.png of .*no class 'kitchens'") as error:
        explain(world, ablate="other-classes", reference=tmp_path / "photos")
    assert error.value.candidates[0] == "kitchen"
    # for a mean over all of them their classes do not matter
    assert explain(world, ablate="mean", reference=tmp_path / "photos").ablated_to == "mean"
    (tmp_path / "photos" / "kitchens" / "00.png").write_bytes(b"no image")
    with pytest.raises(ImageFileError, match=r"00.png"):
        explain(world, ablate="mean", reference=tmp_path / "photos")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyDataError, match="holds no image"):
        explain(world, ablate="mean", reference=tmp_path / "empty")
    with pytest.raises(DataNotFoundError):
        explain(world, ablate="mean", reference=tmp_path / "nowhere")


def test_images_of_a_run_that_are_gone_or_others(world: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    shutil.copytree(world / "run", gone)
    data = dict(onnxdissect.load(gone).manifest["data"])
    for change, kind, said in (
        ({"folder": str(tmp_path / "nowhere")}, DataNotFoundError, "no longer there"),
        ({"folder": None}, DataNotFoundError, "were in memory"),
        ({"fingerprint": "0" * 64}, RunMismatchError, "had 000000000000"),
    ):
        with_manifest(gone, data=data | change)
        with pytest.raises(kind, match=said) as error:
            onnxdissect.explain(world / "net.onnx", np.zeros((5, 5, 3), np.uint8), gone, ablate="mean")
        assert error.value.hint is not None and error.value.hint.startswith("--reference")


@pytest.mark.parametrize(
    ("options", "said", "hint"),
    [
        ({"ablate": "meen"}, "no value to ablate units to 'meen'", None),
        ({"ablate": "mean", "attribution": "linear"}, "linear removes no units", "--attribution ablation"),
        ({"ablate": "mean", "attribution": "fitted"}, "fitted removes no units", "--attribution ablation"),
        ({"reference": "tiny"}, "reference images are for means", "--ablate mean"),
        ({"over": "unit", "attribution": "shapley"}, "no kind of players 'unit'", None),
        ({"over": "concepts"}, "--over is about shapley, and auto was asked for", "--attribution shapley"),
        ({"players": 3, "attribution": "ablation"}, "--players is about shapley", "--attribution shapley"),
        ({"players": 0, "attribution": "shapley"}, "0 units cannot take part", "--players 32"),
        ({"permutations": 0, "attribution": "shapley"}, "0 orders were asked for", "--permutations 64"),
        ({"permutations": 10**6, "attribution": "shapley"}, "where 1 to 100,000", "--permutations 64"),
        ({"players": 3, "over": "concepts", "attribution": "shapley"}, "all concepts", "--over units"),
        ({"seed": -1, "attribution": "shapley"}, "a seed is 0 or more", "--seed 0"),
        (
            {"attribution": "fitted", "output": "chances"},
            "--output is about the network's",
            "leave out --output",
        ),
        ({"attribution": "shaply"}, "no attribution 'shaply'", None),
    ],
)
def test_what_contradicts_itself_is_refused(
    world: Path, options: dict[str, Any], said: str, hint: str | None
) -> None:
    with pytest.raises(ParameterError, match=said) as error:
        explain(world, **options)
    if hint is None:
        assert error.value.candidates
    else:
        assert error.value.hint is not None and error.value.hint.startswith(hint)


def test_a_table_of_images_is_as_good_as_folders(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "labelled", tmp_path / "photos")
    paths = sorted((tmp_path / "photos").rglob("*.png"))
    rows = [f"photos/{path.parent.name}/{path.name},{path.parent.name}" for path in paths]
    table = tmp_path / "photos.csv"
    table.write_text("\n".join(["image,class", *rows]), encoding="utf-8")
    folder = explain(world, ablate="other-classes", reference=world / "labelled")
    listed = explain(world, ablate="other-classes", reference=table)
    np.testing.assert_allclose(listed.contributions, folder.contributions, atol=1e-6)
    assert listed.reference == f"those of the 18 images of {table} that show another class"
