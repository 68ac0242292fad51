"""Explanations that no network made: units and maps as a test wants them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.explanation import Explanation, UnitContribution


def drawn_unit(
    number: int, label: str, contribution: float, *, detector: bool, threshold: float
) -> UnitContribution:
    return UnitContribution(
        unit=number,
        label=label,
        category="object",
        iou=0.1,
        iou_low=None,
        iou_high=None,
        stability=None,
        detector=detector,
        reliable=None,
        contribution=contribution,
        share=contribution / 10,
        activation=1.0,
        threshold=threshold,
        area=0.5,
        box=(0, 0, 1, 1),
    )


def drawn_explanation(
    units: list[UnitContribution], maps: NDArray[Any], height: int, width: int
) -> Explanation:
    plain = Explanation(
        image="array",
        model="net.onnx",
        run="run",
        layer="deep",
        alias="deep",
        quantile=0.005,
        output="logits",
        score_of="logits",
        stripped="",
        class_index=0,
        class_name="snow",
        predicted_index=0,
        predicted_name="snow",
        score=1.0,
        attribution="ablation",
        bias=None,
        error=None,
        contributions=tuple(one.contribution for one in units),
        units=tuple(units),
        concepts=(),
        pixels=np.zeros((height, width, 3), np.uint8),
        activations=maps.astype(np.float32),
        input_size=(8, 8),
        placement=None,
    )
    boxes = [(0, 0, height, width) if plain.mask(one.unit).any() else None for one in units]
    return replace(plain, units=tuple(replace(u, box=box) for u, box in zip(units, boxes, strict=True)))
