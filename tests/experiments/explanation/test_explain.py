"""Explanations of whole runs: what comes out is what the run, the image and the file say."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from naive import explanation as naive
from naive import method
from numpy.typing import NDArray
from support.compared_runs import with_manifest
from support.explained import CLASSES, network_of_world
from support.models import Builder, run_whole, save
from support.small_runs import broden, dissect

import onnxdissect
from onnxdissect.core.progress import Silent
from onnxdissect.errors import (
    ImageFileError,
    LayerCutError,
    LayerNotFoundError,
    ParameterError,
    RunFormatError,
    RunMismatchError,
)
from onnxdissect.experiments.explanation import explanation_json
from onnxdissect.experiments.explanation.explain import explanations
from onnxdissect.experiments.explanation.linear import ALLOWED_ERROR
from onnxdissect.experiments.explanation.records import UNLABELLED
from onnxdissect.experiments.explanation.request import ExplanationRequest
from onnxdissect.experiments.explanation.scored import open_score_explainer


def picture(height: int = 31, width: int = 47, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 4, (height, width, 3)).astype(np.uint8)


def explain(world: Path, images: Any, **options: Any) -> tuple[onnxdissect.Explanation, ...]:
    return onnxdissect.explain(world / "net.onnx", images, world / "run", **options)


def fed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The image as the run's preprocessing, raw at 12 x 12, makes it."""
    small = cv2.resize(pixels, (12, 12), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1)[None], np.float32)


def test_an_explanation_is_what_the_file_and_the_run_say(world: Path) -> None:
    pixels = picture()
    (found,) = explain(world, pixels, top=100)
    batch = fed(pixels)
    logits, deep = run_whole(world / "net.onnx", ["logits", "deep"], batch)
    assert (found.image, found.layer, found.quantile) == ("array", "deep", 0.1)
    assert (found.output, found.score_of, found.stripped) == ("chances", "logits", "Softmax")
    best = int(logits.argmax())
    assert (found.class_index, found.predicted_index) == (best, best)
    assert found.class_name == found.predicted_name == CLASSES[best]
    assert found.score == pytest.approx(float(logits[0, best]), rel=1e-5)
    np.testing.assert_allclose(found.activations, deep[0], rtol=1e-5, atol=1e-6)
    _, nothing, alone, _ = naive.contributions(world / "net.onnx", "deep", 1, 6, batch, "logits", best)
    assert found.attribution == "linear" and found.bias == pytest.approx(nothing, abs=1e-5)
    np.testing.assert_allclose(found.contributions, alone, atol=1e-5)
    assert found.error is not None and found.error < 1e-5
    run = onnxdissect.load(world / "run")
    info = run.layer("deep")
    assert info.geometry is not None
    field: Any = (info.geometry["offset"], info.geometry["stride"])
    assert info.upsample == "receptive-field" and found.placement == field
    for unit in found.units:
        told = run.units("deep", 0.1)[unit.unit]
        for name in ("label", "category", "iou", "iou_low", "iou_high", "stability", "detector", "reliable"):
            assert getattr(unit, name) == getattr(told, name)
        assert unit.contribution == found.contributions[unit.unit] and unit.threshold == told.threshold
        assert unit.activation == found.activations[unit.unit].max()
        expected = method.upsample(found.activations[unit.unit], (31, 47), (12, 12), field)
        np.testing.assert_array_equal(found.heat(unit.unit), expected)
        mask = expected > np.float32(unit.threshold)
        np.testing.assert_array_equal(found.mask(unit.unit), mask)
        assert unit.area == mask.mean()
        if unit.box is not None:
            top, left, bottom, right = unit.box
            assert mask[top:bottom, left:right].sum() == mask.sum()
            assert mask[top].any() and mask[bottom - 1].any()
            assert mask[:, left].any() and mask[:, right - 1].any()
        else:
            assert not mask.any()
    assert any(unit.box for unit in found.units)
    sizes = [abs(unit.contribution) for unit in found.units]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == np.count_nonzero(found.contributions) > 2


def test_concepts_are_sums_over_the_detectors_that_they_label(world: Path) -> None:
    (found,) = explain(world, picture(), target=0)
    units = onnxdissect.load(world / "run").units("deep", 0.1)
    assert sorted(unit for one in found.concepts for unit in one.units) == list(range(6))
    for one in found.concepts:
        for unit in one.units:
            labelled = (units[unit].label, units[unit].category) if units[unit].detector else (UNLABELLED, "")
            assert labelled == (one.concept, one.category)
        assert one.contribution == pytest.approx(sum(found.contributions[unit] for unit in one.units))
    for sign in (1, -1):
        shares = [one.share for one in found.concepts if sign * one.contribution > 0]
        assert not shares or sum(shares) == pytest.approx(sign)
    assert [one.contribution for one in found.concepts] == sorted(
        (one.contribution for one in found.concepts), reverse=True
    )


@pytest.mark.parametrize("size", [(12, 12), (5, 90), (300, 200), (1, 1)])
def test_images_of_any_size_are_explained_at_their_own(world: Path, size: tuple[int, int]) -> None:
    (found,) = explain(world, picture(*size))
    assert found.heat(0).shape == found.mask(found.units[0].unit).shape == found.pixels.shape[:2] == size


def test_several_images_are_explained_as_one_by_one(world: Path) -> None:
    pictures = [picture(20, 30, seed) for seed in range(3)]
    together = explain(world, pictures)
    assert together == tuple(explain(world, one)[0] for one in pictures)
    assert len({one.contributions for one in together}) == 3


@pytest.mark.parametrize(
    ("asked", "number"), [("ski slope", 1), ("Ski Lift", 2), ("2", 2), (0, 0), ("kitchen", 0)]
)
def test_a_class_is_asked_for_by_name_or_number(world: Path, asked: str | int, number: int) -> None:
    (found,) = explain(world, picture(), target=asked)
    assert (found.class_index, found.class_name) == (number, CLASSES[number])
    assert found.predicted_name == explain(world, picture())[0].class_name


def test_names_of_a_file_come_before_those_of_the_model(world: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\ufeffone\ntwo \nthree\n\n", encoding="utf-8")
    (found,) = explain(world, picture(), target="two", classes=tmp_path / "names.txt")
    assert (found.class_index, found.class_name) == (1, "two")
    with pytest.raises(ParameterError, match=r"names 2 classes.*'chances' of net.onnx has 3"):
        (tmp_path / "few.txt").write_text("one\ntwo\n", encoding="utf-8")
        explain(world, picture(), classes=tmp_path / "few.txt")
    with pytest.raises(ParameterError, match="cannot be read"):
        explain(world, picture(), classes=tmp_path / "nowhere.txt")
    with pytest.raises(ParameterError, match="2 classes are called 'crane'") as error:
        explain(world, picture(), target="crane", classes=["crane", "crane", "cat"])
    assert error.value.candidates == ("0", "1")


def test_a_class_that_is_not_there_is_told_with_the_nearest(world: Path) -> None:
    with pytest.raises(ParameterError, match="no class 'ski slop'") as error:
        explain(world, picture(), target="ski slop")
    assert error.value.candidates[0] == "ski slope"
    with pytest.raises(ParameterError, match="no class 3: the output 'chances' has 3"):
        explain(world, picture(), target=3)
    with pytest.raises(ParameterError, match="no class -1"):
        explain(world, picture(), target=-1)


def test_ablation_is_taken_where_the_score_is_no_sum(world: Path) -> None:
    (found,) = explain(world, picture(), layer="mid")
    assert found.attribution == "ablation" and found.bias is None and found.error is None
    with pytest.raises(ParameterError, match=r"no sum over the units of 'mid': Relu .* bends a sum") as error:
        explain(world, picture(), layer="mid", attribution="linear")
    assert error.value.hint is not None and "ablation" in error.value.hint
    (asked,) = explain(world, picture(), attribution="ablation")
    (linear,) = explain(world, picture(), attribution="linear")
    # behind a mean and a linear layer both are weight times mean activation
    np.testing.assert_allclose(asked.contributions, linear.contributions, atol=1e-5)


def test_large_numbers_that_cancel_leave_no_sum(tmp_path: Path) -> None:
    b = Builder(("N", 3, 12, 12), seed=5)
    deep = b.relu(b.conv(b.image, 24), name="deep")
    x = b.node("Gemm", b.node("Flatten", b.node("GlobalAveragePool", deep)), b.weight((24, 3)))
    x = b.node("Add", x, b.constant(1e5), name="far")
    save(b.model(b.node("Sub", x, b.constant(1e5), name="logits")), tmp_path / "net.onnx")
    broden(tmp_path / "data", 6, 0)
    dissect(tmp_path, layers=["deep"], bootstrap=0, null=0)
    with pytest.raises(ParameterError, match="large numbers cancel"):
        explain(tmp_path, [picture(seed=seed) for seed in range(5)], attribution="linear")
    together = explain(tmp_path, [picture(seed=seed) for seed in range(5)])
    # each image for itself, whatever else is explained
    assert {one.attribution for one in together} == {"linear", "ablation"}
    for one, seed in zip(together, range(5), strict=True):
        assert (one,) == explain(tmp_path, picture(seed=seed))
        assert one.attribution == "ablation" or (one.error or 0) <= ALLOWED_ERROR
    assert together[0].units[0].iou_low is None


# ---------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("logits", "holds the class scores 'logits' themselves"),
        ("behind", "lies behind the class scores 'logits'"),
        ("maps", "does not lead to the class scores 'logits' of the output 'chances'"),
    ],
)
def test_layers_that_explain_nothing_are_refused(world: Path, layer: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said) as error:
        explain(world, picture(), layer=layer)
    run = onnxdissect.load(world / "run")
    assert error.value.candidates == tuple(
        run.layer(name).alias for name in ("mid", "inner", "joined", "deep")
    )


def test_a_layer_that_is_gone_around_is_refused_with_those_that_cut(world: Path) -> None:
    with pytest.raises(
        LayerCutError, match=r"'inner' does not cut net.onnx: 'image' -> .* goes around"
    ) as error:
        explain(world, picture(), layer="inner")
    run = onnxdissect.load(world / "run")
    assert error.value.candidates == tuple(run.layer(name).alias for name in ("mid", "joined", "deep"))
    assert error.value.hint is not None and run.layer("deep").alias in error.value.hint


def test_a_layer_under_a_basis_and_one_that_is_not_there(world: Path) -> None:
    with pytest.raises(ParameterError, match="under a basis") as error:
        explain(world, picture(), layer="deep/basis/rotation:seed=1,alpha=1")
    assert error.value.hint == "--layer deep"
    with pytest.raises(LayerNotFoundError, match="holds no layer 'nowhere'"):
        explain(world, picture(), layer="nowhere")


def test_outputs_that_score_no_classes(world: Path) -> None:
    with pytest.raises(ParameterError, match=r"'maps' \[1, 2, 12, 12\] of net.onnx is no vector") as error:
        explain(world, picture(), output="maps")
    assert error.value.candidates == ("chances",)
    with pytest.raises(ParameterError, match="no output 'chance'") as error:
        explain(world, picture(), output="chance")
    assert error.value.candidates[0] == "chances"


def test_a_run_of_another_model_is_refused_with_both_hashes(world: Path, tmp_path: Path) -> None:
    network_of_world(tmp_path / "other.onnx")
    other = (tmp_path / "other.onnx").read_bytes() + b"\x08\x08"
    (tmp_path / "other.onnx").write_bytes(other)
    run = onnxdissect.load(world / "run")
    with pytest.raises(RunMismatchError) as error:
        onnxdissect.explain(tmp_path / "other.onnx", picture(), run)
    message = str(error.value)
    assert run.manifest["model"]["sha256"][:12] in message and "net.onnx" in message
    assert "other.onnx" in message and message.count("sha256") == 2


def test_a_run_that_does_not_say_how_it_was_made_is_refused(world: Path, tmp_path: Path) -> None:
    for key, value in (("preprocessing", {"mean": "?"}), ("model", {"sha256": "0"}), ("model", None)):
        copy = tmp_path / f"{key}{value and len(value)}"
        shutil.copytree(world / "run", copy)
        with_manifest(copy, **{key: value})
        with pytest.raises((RunFormatError, RunMismatchError)):
            onnxdissect.explain(world / "net.onnx", picture(), copy)


def test_images_and_numbers_that_are_none(world: Path, tmp_path: Path) -> None:
    for image, said in ((tmp_path / "none.png", "is missing"), (tmp_path, "is a folder")):
        with pytest.raises(ImageFileError, match=said):
            explain(world, [image])
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ImageFileError, match="cannot be decoded"):
        explain(world, tmp_path / "text.png")
    with pytest.raises(ParameterError, match="RGB"):
        explain(world, np.zeros((4, 4), np.uint8))
    for images in ([5], [b"image.png"], b"image.png", {"a": 1}):
        with pytest.raises(ParameterError, match=r"not (5|an object of the type)"):
            explain(world, images)
    with pytest.raises(ParameterError, match="no image was given"):
        explain(world, [])
    with pytest.raises(ParameterError, match="cannot be 0"):
        explain(world, picture(), top=0)
    with pytest.raises(ParameterError, match="no attribution 'linea'") as error:
        explain(world, picture(), attribution="linea")
    assert error.value.candidates[0] == "linear"
    (found,) = explain(world, picture(), top=1)
    with pytest.raises(ParameterError, match="has no unit 6"):
        found.heat(6)
    for unit in ("1", 1.5, None, True):
        with pytest.raises(ParameterError, match="takes a whole number"):
            found.heat(cast("Any", unit))
    (numbered,) = explain(world, picture(), target=np.int64(1), attribution="shapley", seed=np.int64(2))
    assert json.loads(json.dumps(explanation_json([numbered])))["explanations"][0]["class_index"] == 1
    other = next(unit for unit in range(6) if unit != found.units[0].unit)
    with pytest.raises(ParameterError, match="none of the 1 of this"):
        found.mask(other)
    assert replace(found) == found


# ------------------------------------------------------------------------------------------- one by one


def test_images_are_read_and_explained_as_they_are_asked_for(world: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "good.png"), picture())
    (tmp_path / "bad.png").write_text("no image")
    request = ExplanationRequest()
    names = [tmp_path / "good.png", tmp_path / "bad.png"]
    found = explanations(world / "net.onnx", names, world / "run", request)
    assert next(found).image == str(tmp_path / "good.png")
    with pytest.raises(ImageFileError, match="cannot be decoded"):
        next(found)
    # what is not even there is told before
    with pytest.raises(ImageFileError, match="is missing"):
        explanations(world / "net.onnx", [*names, tmp_path / "gone.png"], world / "run", request)


@pytest.mark.parametrize(
    ("options", "runs"),
    [({}, 2), ({"attribution": "ablation"}, 1), ({"attribution": "shapley", "players": 3}, 2)],
)
def test_activations_that_nobody_changed_are_scored_once(
    world: Path, options: dict[str, Any], runs: int
) -> None:
    """Beside variants, of which many are scored at once: the image, and what no unit is active in."""
    request = ExplanationRequest(**options)
    explainer = open_score_explainer(
        world / "net.onnx", world / "run", request, picture(), progress=Silent(), notify=print
    )
    alone: list[NDArray[Any]] = []

    class Counting:
        def __call__(self, feed: dict[str, Any], names: Any) -> Any:
            alone.extend(array for array in feed.values() if len(array) == 1)
            return explainer.parts.tail(feed, names)

    counted = replace(explainer, parts=replace(explainer.parts, tail=cast(Any, Counting())))
    assert counted.attribute(picture()).attribution == options.get("attribution", "linear")
    assert len(alone) == runs
    assert len({array.tobytes() for array in alone}) == runs


def test_shapley_is_told_with_what_it_is_over(world: Path) -> None:
    (units,) = explain(world, picture(), attribution="shapley", layer="joined", players=3, top=10)
    assert units.orders is not None
    assert (units.orders.over, units.orders.players, units.orders.permutations) == ("units", 3, 0)
    assert tuple(np.flatnonzero(units.contributions)) == units.orders.units
    (removed,) = explain(world, picture(), attribution="ablation", layer="joined")
    strongest = np.argsort(-np.abs(removed.contributions))[:3]
    assert units.orders.units == tuple(sorted(strongest))
    assert all(unit.standard_error is None for unit in units.units)
    # 14 inner subsets of 4 units are more than the 12 that two orders and their reverses take
    (drawn,) = explain(world, picture(), attribution="shapley", layer="joined", permutations=2)
    assert drawn.orders is not None and drawn.orders.permutations == 2
    assert all(unit.standard_error is not None for unit in drawn.units)
    for one in (units, drawn):
        assert one.bias is not None and one.error is not None and one.error < 1e-12
        assert one.bias + sum(one.contributions) == pytest.approx(one.score)
    assert drawn == explain(world, picture(), attribution="shapley", layer="joined", permutations=2)[0]
    others = {
        explain(world, picture(), attribution="shapley", layer="joined", permutations=2, seed=seed)[
            0
        ].contributions
        for seed in range(1, 6)
    }
    assert others != {drawn.contributions}


def test_concepts_are_players_with_all_of_their_units(world: Path) -> None:
    (found,) = explain(world, picture(), attribution="shapley", over="concepts")
    assert found.contributions == () and found.units == ()
    (linear,) = explain(world, picture(), attribution="linear")
    # behind a mean and a linear layer units add the same whoever is there
    assert [(one.concept, set(one.units)) for one in found.concepts] == [
        (one.concept, set(one.units)) for one in linear.concepts
    ]
    for one, other in zip(found.concepts, linear.concepts, strict=True):
        assert one.contribution == pytest.approx(other.contribution, abs=1e-5)
        assert one.share == pytest.approx(other.share, abs=1e-4)


def test_more_players_than_units_are_all_of_them_and_that_is_said(world: Path) -> None:
    said: list[str] = []
    (found,) = explain(world, picture(), attribution="shapley", players=50, notify=said.append)
    assert said == ["no more than the 6 units of the layer take part, where 50 were asked for"]
    (plain,) = explain(world, picture(), attribution="shapley", notify=said.append)
    assert plain.contributions == found.contributions and len(said) == 1


def test_a_long_call_tells_how_far_it_is(world: Path) -> None:
    told: list[tuple[str, int]] = []

    class Telling(Silent):
        def start(self, phase: str, total: int) -> None:
            told.append((phase, total))

    explain(world, [picture(), picture()], ablate="mean", progress=Telling())
    explain(world, picture(), progress=Telling())
    assert told == [("reference", 12), ("explanations", 2)]
