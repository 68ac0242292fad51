"""*fitted* is scikit-learn's own logistic regression on pooled units, taken apart into its terms."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.explained import CLASSES
from support.models import Builder, run_whole, save
from support.small_runs import broden, dissect

import onnxdissect
from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.errors import DataError, ParameterError
from onnxdissect.experiments.explanation.fitted.classifier import fit_classifier

Array = NDArray[Any]


def fed(pixels: Array) -> Array:
    small = cv2.resize(pixels, (12, 12), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1)[None], np.float32)


def pooled(world: Path, layer: str, pictures: list[Array]) -> Array:
    maps = [run_whole(world / "net.onnx", [layer], fed(one))[0][0] for one in pictures]
    return np.array([one.astype(np.float64).mean(axis=(1, 2)) for one in maps])


def labelled(world: Path) -> tuple[list[Array], list[str]]:
    paths = sorted((world / "labelled").rglob("*.png"))
    return [read_image(path, path.name) for path in paths], [path.parent.name for path in paths]


@pytest.mark.parametrize("layer", ["deep", "inner"])
def test_contributions_are_terms_of_the_classifier(world: Path, layer: str) -> None:
    """Also of a layer that something gets around, which the network's own scores cannot be explained by."""
    pictures, names = labelled(world)
    features = pooled(world, layer, pictures)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(features, names)
    pixels = np.random.default_rng(3).integers(0, 6, (31, 47, 3)).astype(np.uint8)
    own = pooled(world, layer, [pixels])
    scores = model.decision_function(own)[0]
    options: dict[str, Any] = {"attribution": "fitted", "reference": world / "labelled", "layer": layer}
    (found,) = onnxdissect.explain(world / "net.onnx", pixels, world / "run", **options)
    assert (found.attribution, found.predicted_name) == ("fitted", model.predict(own)[0])
    assert found.score == pytest.approx(scores.max(), abs=1e-4)
    assert (found.output, found.score_of, found.stripped) == ("", "", "")
    for name in CLASSES[:1]:
        (found,) = onnxdissect.explain(world / "net.onnx", pixels, world / "run", target=name, **options)
        number = sorted(CLASSES).index(name)
        assert (found.class_name, found.class_index) == (name, number)
        weights = model[1].coef_[number] * model[0].transform(own)[0]
        np.testing.assert_allclose(found.contributions, weights, atol=1e-3)
        assert found.bias == pytest.approx(model[1].intercept_[number], abs=1e-3)
        assert found.error is not None and found.error < 1e-12
    predicted = cross_val_predict(model, features, names, cv=StratifiedKFold(5, shuffle=True, random_state=0))
    assert found.fit is not None and (found.fit.images, found.fit.folds) == (18, 5)
    assert found.fit.accuracy == pytest.approx(np.mean(predicted == np.array(names)), abs=1e-9)
    assert found.fit.classes == tuple(sorted(CLASSES))
    assert found.reference == f"the 18 labelled images of {world / 'labelled'}"


def test_of_two_classes_each_has_a_score() -> None:
    rng = np.random.default_rng(0)
    features, names = rng.normal(size=(40, 5)), ["b", "a"] * 20
    features[::2] += 0.7
    found = fit_classifier(features, names, 0)
    assert found.classes == ("a", "b") and found.weights.shape == (2, 5)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(features, names)
    scores = found.terms(features[0]).sum(axis=1) + found.biases
    np.testing.assert_allclose(scores, model.decision_function(features[:1])[0] * np.array([-1, 1]))


def test_a_class_of_one_image_leaves_the_accuracy_open() -> None:
    features = np.random.default_rng(0).normal(size=(5, 3))
    found = fit_classifier(features, ["a", "a", "b", "b", "c"], 0)
    assert (found.accuracy, found.folds, found.images) == (None, 0, 5)
    assert fit_classifier(features, ["a", "a", "b", "b", "b"], 0).folds == 2
    # a unit that never changes says nothing
    features[:, 1] = 2
    assert np.isfinite(fit_classifier(features, ["a", "a", "b", "b", "c"], 0).terms(features[0])).all()


def test_a_network_that_scores_no_classes_is_explained(tmp_path: Path, world: Path) -> None:
    b = Builder(("N", 3, 12, 12), seed=5)
    deep = b.relu(b.conv(b.image, 6), name="deep")
    save(b.model(b.conv(deep, 2, name="map")), tmp_path / "net.onnx")
    broden(tmp_path / "data", 6, 0)
    dissect(tmp_path, layers=["deep"], bootstrap=0, null=0)
    pixels = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(ParameterError, match="no output that scores classes"):
        onnxdissect.explain(tmp_path / "net.onnx", pixels, tmp_path / "run")
    (found,) = onnxdissect.explain(
        tmp_path / "net.onnx", pixels, tmp_path / "run", attribution="fitted", reference=world / "labelled"
    )
    # what is absent speaks too
    assert np.count_nonzero(found.contributions) == 6 and found.predicted_name in CLASSES


def test_one_class_unknown_ones_and_no_classes(world: Path, tmp_path: Path) -> None:
    def explain(reference: object, **options: Any) -> None:
        pixels = np.zeros((20, 20, 3), np.uint8)
        given: Any = {"attribution": "fitted", "reference": reference, **options}
        onnxdissect.explain(world / "net.onnx", pixels, world / "run", **given)

    shutil.copytree(world / "labelled" / "kitchen", tmp_path / "one" / "kitchen")
    with pytest.raises(ParameterError, match=r"one holds 6 images of one class, 'kitchen'"):
        explain(tmp_path / "one")
    with pytest.raises(ParameterError, match="no class 'ski slop'") as error:
        explain(world / "labelled", target="ski slop")
    assert error.value.candidates[0] == "ski slope"
    with pytest.raises(DataError, match="has no scenes"):
        explain(None)
    with pytest.raises(ParameterError, match="under a basis"):
        explain(world / "labelled", layer="deep/basis/rotation:seed=1,alpha=1")


def test_without_scikit_learn_it_is_told_what_to_install(world: Path) -> None:
    """In a process of its own, whose imports do not find it."""
    program = "import sys; sys.modules['sklearn'] = None\nfrom onnxdissect.cli.main import main\nmain()"
    image = next((world / "labelled" / "kitchen").iterdir())
    words = ["explain", "net.onnx", str(image), "--run", "run", "--attribution", "fitted"]
    said = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=world, check=False
    )
    assert said.returncode == 2 and not said.stdout
    assert "--attribution fitted needs scikit-learn" in said.stderr
    assert 'hint: pip install "onnxdissect[fitted]"' in said.stderr and "Traceback" not in said.stderr
