"""Ablations of whole runs: what comes out is what files edited by hand predict of the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from naive import ablation as naive
from numpy.typing import NDArray
from support.ablated import (
    CLASSES,
    EACH,
    LAYER,
    UNITS,
    ablated_world,
    fed,
    scores_without,
)

import onnxdissect
from onnxdissect.errors import ParameterError, RunFormatError, RunIncompleteError, RunNotFoundError
from onnxdissect.experiments.ablation import KINDS
from onnxdissect.experiments.ablation.predicting.activations import ActivationCache
from onnxdissect.storage.archive_writer import write_archive


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ablated_world(tmp_path_factory.mktemp("ablated"))


def ablate(world: Path, **options: Any) -> onnxdissect.AblationResult:
    given: dict[str, Any] = {"repeats": 2, "resamples": 50, "provider": "cpu"} | options
    images = given.pop("images", world / "labelled")
    return onnxdissect.ablate(world / "net.onnx", images, world / "run", **given)


@pytest.fixture(scope="module")
def found(world: Path) -> onnxdissect.AblationResult:
    return ablate(world, groups=["concept", "category"])


def test_every_prediction_is_that_of_an_edited_file(
    world: Path, found: onnxdissect.AblationResult, tmp_path: Path
) -> None:
    names, batch, shown = fed(world / "labelled")
    arrays = found.arrays
    rows = [names.index(name) for name in arrays.images]
    np.testing.assert_array_equal(arrays.classes[arrays.image_class], shown[rows])
    np.testing.assert_array_equal(arrays.classes, range(len(CLASSES)))
    truth = shown[rows].tolist()
    for v, removed in enumerate(arrays.removed):
        scores = scores_without(world / "net.onnx", np.flatnonzero(removed), batch, tmp_path)[rows]
        predicted = scores.argmax(axis=1)
        np.testing.assert_array_equal(arrays.predicted[v], predicted)
        for number in range(len(CLASSES)):
            told = predicted.tolist(), truth, number
            assert arrays.accuracy[v, number] == pytest.approx(naive.balanced_accuracy(*told))
            assert arrays.top1[v, number] == pytest.approx(naive.top1(*told))
            assert arrays.log_loss[v, number] == pytest.approx(
                naive.log_loss(scores.tolist(), truth, number), rel=1e-4
            )
            measured = KINDS[arrays.kind[v]] != "single" and arrays.of_class[v] in (-1, number)
            if measured:
                own = [one == number for one in truth]
                expected = naive.roc_area(scores[:, number].astype(np.float32).tolist(), own)
                assert arrays.area[v, number] == pytest.approx(expected)
            else:
                assert np.isnan(arrays.area[v, number])


def test_units_are_ranked_on_the_other_half_of_each_class(
    world: Path, found: onnxdissect.AblationResult, tmp_path: Path
) -> None:
    names, batch, shown = fed(world / "labelled")
    others = [i for i, name in enumerate(names) if name not in set(found.arrays.images)]
    assert len(others) == found.ranked_images == found.images == len(names) // 2
    np.testing.assert_array_equal(np.bincount(shown[others]), EACH // 2)
    truth = shown[others].tolist()
    scores = [
        scores_without(world / "net.onnx", units, batch, tmp_path)[others]
        for units in ([], *([k] for k in range(UNITS)))
    ]
    for one in found.classes:
        number = one.class_index
        accuracy = [naive.balanced_accuracy(s.argmax(1).tolist(), truth, number) for s in scores]
        losses = [naive.log_loss(s.tolist(), truth, number) for s in scores]
        drops = [round(accuracy[0] - value, 12) for value in accuracy[1:]]
        rises = [value - losses[0] for value in losses[1:]]
        np.testing.assert_allclose(found.arrays.ranked_drop[number], drops, atol=1e-12)
        np.testing.assert_allclose(found.arrays.ranked_rise[number], rises, atol=1e-4)
        # rises of silent units are rounding
        told = list(one.important)
        assert [drops[k] for k in told] == sorted(drops, reverse=True)
        assert sorted(told) == list(range(UNITS)) and told == found.arrays.order[number].tolist()


def test_what_is_told_follows_from_the_predictions(found: onnxdissect.AblationResult) -> None:
    arrays, counts = found.arrays, found.counts
    assert counts == (1, 2, 4) and found.units == UNITS and found.layer == LAYER
    assert (found.output, found.score_of, found.stripped) == ("chances", "logits", "Softmax")
    kinds = np.array(KINDS)[arrays.kind]
    assert len(kinds) == 1 + UNITS + 4 * 3 * 2 + 2 * (3 + len({*counts, *sizes(found)})) + len(found.groups)
    for removal in found.removals:
        classes = [removal.class_index] if removal.class_index is not None else [0, 1, 2, 3]
        kept = removal.n if "removed" in removal.kind else UNITS - removal.n
        of_kind = (kinds == removal.kind) & (arrays.removed.sum(axis=1) == kept)
        if "random" in removal.kind:
            pairs = [(v, one) for v in np.flatnonzero(of_kind) for one in classes]
            assert len(pairs) == 2 * len(classes) and removal.beyond_random is None
        else:
            pairs = [(v, one) for one in classes for v in np.flatnonzero(of_kind & (arrays.of_class == one))]
            assert len(pairs) == len(classes)
            for v, one in pairs:
                chosen = set(arrays.order[one, : removal.n].tolist())
                zero = set(np.flatnonzero(arrays.removed[v]).tolist())
                assert zero == (chosen if removal.kind == "removed" else set(range(UNITS)) - chosen)
        value = removal.value
        assert value.accuracy == pytest.approx(np.mean([arrays.accuracy[p] for p in pairs]))
        assert value.top1 == pytest.approx(np.mean([arrays.top1[p] for p in pairs]))
        assert value.area == pytest.approx(np.mean([arrays.area[p] for p in pairs]))
        assert value.log_loss == pytest.approx(np.mean([arrays.log_loss[p] for p in pairs]))
        assert removal.others == pytest.approx(
            np.mean([np.delete(arrays.accuracy[v], one).mean() for v, one in pairs])
        )
        assert value.low is not None and value.high is not None and value.low <= value.high
        if removal.beyond_random is not None:
            (random,) = [
                one
                for one in found.curve(removal.class_index, f"random {removal.kind}")
                if one.n == removal.n
            ]
            assert removal.beyond_random.value == pytest.approx(value.accuracy - random.value.accuracy)
    for told in found.classes:
        assert told.nothing.accuracy == pytest.approx(arrays.accuracy[0, told.class_index])
        assert (told.images, told.ranked_images) == (EACH // 2, EACH // 2)


def sizes(found: onnxdissect.AblationResult) -> set[int]:
    return {len(group.units) for group in found.groups}


def test_groups_are_the_detectors_of_a_label(world: Path, found: onnxdissect.AblationResult) -> None:
    units = onnxdissect.load(world / "run").units(LAYER, 0.1)
    detectors = [unit for unit in units if unit.detector]
    concepts = {(unit.label, unit.category) for unit in detectors}
    categories = {(unit.category, "") for unit in detectors}
    assert {(one.name, one.category) for one in found.groups} == concepts | categories
    arrays = found.arrays
    for place, group in enumerate(found.groups):
        (v,) = np.flatnonzero((arrays.kind == KINDS.index("group")) & (arrays.repeat == place))
        assert np.flatnonzero(arrays.removed[v]).tolist() == list(group.units)
        for unit in group.units:
            label = (units[unit].label, units[unit].category)
            assert label == (group.name, group.category) or (units[unit].category, "") == (group.name, "")
        assert group.value.accuracy == pytest.approx(arrays.accuracy[v].mean())
        drops = {one.class_index: one.drop.value for one in group.classes}
        lost = arrays.accuracy[0] - arrays.accuracy[v]
        assert [drops[number] for number in range(4)] == pytest.approx(lost.tolist())
        assert list(drops.values()) == sorted(drops.values(), reverse=True)
        difference = group.value.accuracy - group.random.accuracy
        assert group.beyond_random.value == pytest.approx(difference)
    name = detectors[0].label
    (one,) = [g for g in ablate(world, groups=[name], top_n=[1]).groups if g.category]
    assert one.units == tuple(unit.unit for unit in detectors if unit.label == name)
    with pytest.raises(ParameterError, match="no detector of the layer is labelled 'whale'"):
        ablate(world, groups=["whale"])


def test_needs_relate_units_to_the_classes_that_lose_without_them(
    world: Path, found: onnxdissect.AblationResult
) -> None:
    units = onnxdissect.load(world / "run").units(LAYER, 0.1)
    drops = found.arrays.accuracy[0] - found.arrays.accuracy[1 : UNITS + 1]
    for need, unit in zip(found.needs, units, strict=True):
        assert (need.unit, need.label, need.iou, need.detector) == (
            unit.unit,
            unit.label,
            unit.iou,
            unit.detector,
        )
        needing = [
            one.class_name
            for one in found.classes
            if need.unit in one.important[:4] and found.arrays.ranked_drop[one.class_index, need.unit] > 0
        ]
        assert list(need.classes) == needing
        assert need.mean_drop == pytest.approx(drops[need.unit].mean())
        assert need.worst_drop == pytest.approx(drops[need.unit].max())
    iou, often = [one.iou for one in found.needs], [float(len(one.classes)) for one in found.needs]
    expected = naive.rank_correlation(iou, often)
    assert expected is not None and found.need_correlation is not None
    assert found.need_correlation.value == pytest.approx(expected)


def test_some_classes_only_and_the_same_again(world: Path, found: onnxdissect.AblationResult) -> None:
    part = ablate(world, target=["Ski Slope", 3], top_n=[2, 1, 2], resamples=0)
    assert [one.class_name for one in part.classes] == ["ski slope", "beach"] and part.counts == (1, 2)
    assert part.nothing.low is None and part.shown == 4
    whole = {(one.class_index, one.kind, one.n): one for one in found.removals}
    for one in part.removals:
        if one.class_index is not None and "random" not in one.kind:
            same = whole[one.class_index, one.kind, one.n]
            assert one.value.accuracy == same.value.accuracy and one.others == same.others
            assert one.beyond_random is not None and one.beyond_random.low is None
    assert ablate(world, groups=["concept", "category"]) == found


def test_ranking_on_all_images_measures_on_all(world: Path) -> None:
    both = ablate(world, rank_on="all", top_n=[2], resamples=0, target=["kitchen"])
    assert both.images == both.ranked_images == EACH * 4
    np.testing.assert_allclose(
        both.arrays.ranked_drop.T, both.arrays.accuracy[0] - both.arrays.accuracy[1 : UNITS + 1], atol=1e-12
    )


def test_a_limit_takes_as_many_images_of_each_class(world: Path) -> None:
    few = ablate(world, limit=10, rank_on="all", top_n=[2], resamples=0)
    names = [
        f"{name}/{i}.png" for name in sorted(CLASSES) for i in range(3 if name in ("beach", "kitchen") else 2)
    ]
    assert few.arrays.images.tolist() == names


def test_a_table_and_a_folder_give_the_same(world: Path, found: onnxdissect.AblationResult) -> None:
    names = fed(world / "labelled")[0]
    lines = [f"labelled/{name},{name.split('/')[0]}" for name in names]
    (world / "table.csv").write_text("\n".join(["image,class", *lines, ""]), encoding="utf-8")
    table = ablate(world, images=world / "table.csv", groups=["concept", "category"])
    assert table.removals == found.removals and table.groups == found.groups
    np.testing.assert_array_equal(table.arrays.predicted, found.arrays.predicted)


class StoppedError(Exception):
    pass


class Counter:
    """Counts images of each phase, and stops when so many are done."""

    def __init__(self, stop: int | None = None) -> None:
        self.done: dict[str, int] = {}
        self._phase, self._stop = "", stop

    def start(self, phase: str, total: int) -> None:
        self._phase = phase
        self.done[phase] = 0

    def advance(self, images: int) -> None:
        self.done[self._phase] += images
        if self._stop is not None and sum(self.done.values()) >= self._stop:
            raise StoppedError

    def finish(self) -> None:
        pass


def counted_heads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images go through the head from here on, batch by batch."""
    heads: list[int] = []
    run_head = ActivationCache._run_head

    def counted(cache: ActivationCache, batch: NDArray[Any]) -> NDArray[Any]:
        heads.append(len(batch))
        return run_head(cache, batch)

    monkeypatch.setattr(ActivationCache, "_run_head", counted)
    return heads


@pytest.mark.parametrize("stop", [5, 24, 29])
def test_what_was_stopped_goes_on_to_the_same_bytes(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    monkeypatch.setattr("onnxdissect.experiments.ablation.predicting.activations._MOST_IMAGES", 5)
    options: dict[str, Any] = {"groups": ["concept"], "resamples": 20}
    whole = ablate(world, out=tmp_path / "whole", **options)
    with pytest.raises(StoppedError):
        ablate(world, out=tmp_path / "out", progress=Counter(stop), **options)
    with pytest.raises(RunIncompleteError, match="was not finished"):
        onnxdissect.load_ablation(tmp_path / "out")
    done = len(list((tmp_path / "out" / "work").glob("*.npz")))
    assert done == {5: 1, 24: 6, 29: 7}[stop]
    heads = counted_heads(monkeypatch)
    again = ablate(world, out=tmp_path / "out", **options)
    assert sum(heads) == {5: 24, 24: 12, 29: 7}[stop], "what is not done needs its activations, and no others"
    assert again == whole
    for name in ("ablation.json", "ablation.npz"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["ablation.json", "ablation.npz"]


def test_activations_are_computed_once_wherever_they_are_kept(
    world: Path, found: onnxdissect.AblationResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = counted_heads(monkeypatch)
    options: dict[str, Any] = {"groups": ["concept", "category"]}
    assert ablate(world, **options) == found and sum(heads) == 24
    monkeypatch.setattr("onnxdissect.experiments.ablation.predicting.measuring.KEPT_BYTES", 0)
    assert ablate(world, **options) == found and sum(heads) == 48, "in a file"
    monkeypatch.setattr("onnxdissect.experiments.ablation.predicting.activations._SPARE_BYTES", 2**62)
    assert ablate(world, **options) == found and sum(heads) == 84, "nowhere: measured images run twice"


def test_a_result_is_read_as_it_was_written(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options: dict[str, Any] = {"groups": ["category"], "top_n": [2], "out": out}
    written = ablate(world, **options)
    found = onnxdissect.load_ablation(out)
    assert found == written
    for name in type(found.arrays).__slots__:
        np.testing.assert_array_equal(getattr(found.arrays, name), getattr(written.arrays, name))
    counter = Counter()
    assert ablate(world, progress=counter, **options) == written and not counter.done
    with pytest.raises(RunNotFoundError, match=r"holds no ablation\.json"):
        onnxdissect.load_ablation(tmp_path)
    content = (out / "ablation.json").read_text(encoding="utf-8")
    for old, new, said in (
        ('"format_version": 1', '"format_version": 9', "format version 9"),
        ('"units": 7', '"units": 8', "needs are not those of 8 units"),
        ('"accuracy": 0.', '"accuracy": 7.', "accuracy is 7"),
    ):
        (out / "ablation.json").write_text(content.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(RunFormatError, match=said):
            onnxdissect.load_ablation(out)
    (out / "ablation.json").write_text(content, encoding="utf-8")
    arrays = {name: getattr(written.arrays, name) for name in type(written.arrays).__slots__}
    from onnxdissect.experiments.ablation.formats.schema import ARRAY_SCHEMA

    write_archive(out / "ablation.npz", ARRAY_SCHEMA, arrays | {"order": arrays["order"] + 1})
    with pytest.raises(RunFormatError, match="order goes beyond 0 to 6"):
        onnxdissect.load_ablation(out)
