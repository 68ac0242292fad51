"""An explanation is said in one way, exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxdissect.experiments.explanation import ConceptShare, Explanation, UnitContribution
from onnxdissect.experiments.explanation.formats.wording import (
    DEFINITIONS,
    attribution_name,
    attribution_sentence,
    concept_sentence,
    fired,
    prediction,
)
from onnxdissect.experiments.explanation.records import (
    ABLATED_TO,
    ATTRIBUTIONS,
    UNLABELLED,
    Fit,
    ShapleyOrders,
)


def unit(box: tuple[int, int, int, int] | None, area: float) -> UnitContribution:
    return UnitContribution(
        unit=3, label="snow", category="object", iou=0.2, iou_low=0.1, iou_high=0.3, stability=1.0,
        detector=True, reliable=True, contribution=2.0, share=0.5, activation=4.0, threshold=3.0,
        area=area, box=box,
    )  # fmt: skip


def explanation(*concepts: tuple[str, float, float]) -> Explanation:
    return Explanation(
        image="slope.jpg", model="net.onnx", run="run", layer="deep", alias="relu4", quantile=0.005,
        output="chances", score_of="logits", stripped="Softmax", class_index=3, class_name="ski slope",
        predicted_index=3, predicted_name="ski slope", score=4.0, attribution="linear", bias=0.5, error=3e-8,
        contributions=(3.0, -1.5, 2.0), units=(),
        concepts=tuple(ConceptShare(name, "object", (0,), value, share) for name, value, share in concepts),
        pixels=np.zeros((4, 4, 3), np.uint8), activations=np.zeros((3, 2, 2), np.float32), input_size=(8, 8),
        placement=None,
    )  # fmt: skip


def test_concepts_are_listed_by_what_they_contributed() -> None:
    shares = [("snow", 3.8, 0.38), ("mountain", 2.1, 0.21), (UNLABELLED, 2.0, 0.2), ("person", 0.9, 0.09)]
    more = [("sky", 0.7, 0.07), ("tree", 0.3, 0.03), ("fence", 0.2, 0.02), ("lamp", 0.0, 0.0)]
    against = [("sea", -1.0, -0.25), ("car", -3.0, -0.75)]
    assert concept_sentence(explanation(*shares, *more, *against)) == (
        "ski slope: snow 38 %, mountain 21 %, person 9 %, sky 7 %, 2 more concepts 5 %, "
        "unlabelled units 20 %; against it: car 75 %, sea 25 %"
    )
    assert concept_sentence(explanation(("snow", 1.0, 1.0))) == "ski slope: snow 100 %"
    assert concept_sentence(explanation(*against)) == (
        "ski slope: no unit speaks for it; against it: car 75 %, sea 25 %"
    )


def test_attributions_say_what_they_are() -> None:
    one = explanation()
    assert attribution_sentence(one) == (
        "linear: a contribution is the score with only this unit active, less the score with none; bias 0.5 "
        "and contributions 3.5 come to the score 4 (off by 3e-08); shares are of the sum of all "
        "contributions of the same sign; the score is 'logits', before the Softmax of 'chances'"
    )
    other = replace(one, attribution="ablation", bias=None, error=None, stripped="")
    assert attribution_sentence(other) == (
        "ablation: a contribution is the score, less the score with this unit set to zero; changes need not "
        "add up to the score; shares are of the sum of all contributions of the same sign"
    )
    mean = replace(other, ablated_to="mean", reference="the 12 images of photos")
    assert attribution_sentence(mean).startswith(
        "ablation: a contribution is the score, less the score with this unit set to its mean over the 12 "
        "images of photos; changes need not add up to the score; shares are"
    )
    assert prediction(one) == "predicted: ski slope, score 4"
    assert prediction(replace(one, predicted_index=1, predicted_name="beach")) == (
        "explained: ski slope, score 4 (predicted: beach)"
    )


def test_shapley_values_say_what_they_are_averages_over() -> None:
    orders = ShapleyOrders(over="units", players=32, units=tuple(range(32)), permutations=64, seed=5)
    one = replace(explanation(), attribution="shapley", orders=orders, error=0.0)
    assert attribution_sentence(one).startswith(
        "shapley: a contribution is what this unit adds to the score on joining others, on average over 64"
        " orders and their reverses (seed 5) of the 32 units of the largest ablation (others stay as they "
        "are); what has not joined is set to zero; the score with none 0.5 and contributions 3.5 come to "
        "the score 4 (off by 0e+00); shares are"
    )
    whole = replace(orders, over="concepts", players=1, permutations=0)
    concepts = explanation(("snow", 3.5, 1.0)).concepts
    of_concepts = replace(one, orders=whole, contributions=(), concepts=concepts)
    assert attribution_sentence(of_concepts).startswith(
        "shapley: a contribution is what this concept adds to the score on joining others, on average over"
        " all orders of 1 concept, each with all of its units; what has not joined is set to zero; the "
        "score with none 0.5 and contributions 3.5 come to the score 4"
    )


def test_attributions_are_named_with_what_tells_them_apart() -> None:
    one = explanation()
    removed = [replace(one, attribution="ablation", ablated_to=to) for to in ABLATED_TO]
    assert [attribution_name(each) for each in (one, replace(one, attribution="fitted"), *removed)] == [
        *("linear", "fitted", "ablation to zero", "ablation to mean", "ablation to mean of other classes"),
    ]
    orders = ShapleyOrders(over="concepts", players=3, units=(0, 1, 2), permutations=0, seed=0)
    assert (
        attribution_name(replace(one, attribution="shapley", orders=orders))
        == "shapley over concepts, to zero"
    )


def test_every_attribution_is_defined_in_general_too() -> None:
    assert tuple(DEFINITIONS) == ATTRIBUTIONS[1:]


def test_a_fitted_classifier_says_what_it_was_fitted_to() -> None:
    fit = Fit(images=18, classes=("beach", "ski slope"), accuracy=0.944, folds=5)
    reference = "the 18 labelled images of photos"
    one = replace(explanation(), attribution="fitted", fit=fit, reference=reference, stripped="")
    assert attribution_sentence(one) == (
        "fitted: a contribution is weight times standardised mean activation in a linear classifier fitted"
        " to the 18 labelled images of photos; bias 0.5 and contributions 3.5 come to the score 4 (off by "
        "3e-08); it tells 94 % of the 18 images rightly in cross-validation (5 folds, 2 classes); shares "
        "are of the sum of all contributions of the same sign"
    )
    unknown = replace(one, fit=replace(fit, accuracy=None, folds=0))
    assert "is not known: a class has one image" in attribution_sentence(unknown)


@pytest.mark.parametrize(
    ("box", "area", "said"),
    [
        (None, 0.0, "below its threshold"),
        ((0, 0, 20, 20), 0.06, "6 % of the image, top left"),
        ((40, 80, 60, 100), 0.004, "0.4 % of the image, middle right"),
        ((40, 80, 41, 81), 0.0001, "under 0.1 % of the image, middle right"),
        ((80, 40, 100, 60), 0.01, "1 % of the image, bottom centre"),
        ((5, 0, 100, 95), 0.5, "50 % of the image, all over"),
    ],
)
def test_places_are_told_by_thirds(box: tuple[int, int, int, int] | None, area: float, said: str) -> None:
    assert fired(unit(box, area), (100, 100)) == said
