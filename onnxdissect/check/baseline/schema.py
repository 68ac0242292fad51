"""What a check needs of a run's manifest, and what ``baseline.json`` has to hold, before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.per_image_counts import PerImageCounts
from onnxdissect.core.upsampling import UPSAMPLINGS
from onnxdissect.errors import RunFormatError
from onnxdissect.results.formats.manifest import MANIFEST
from onnxdissect.results.formats.manifest_schema import GEOMETRY, MOST_RESAMPLES
from onnxdissect.storage.fields import (
    Choice,
    Either,
    Field,
    FieldError,
    Integer,
    Listed,
    Mapped,
    Number,
    OrNull,
    Record,
    Text,
    expect_distinct,
)

__all__ = ["check_baseline", "check_layer_arrays", "expect_checkable"]

_COUNT = Integer(0, 2**31)
_ROUNDED = 1e-9
_FACTORS = Listed(Number(), 1, 1024)

_SECTIONS: Mapping[str, Field] = {
    "data": Record(
        {
            "name": Text(),
            "images": _COUNT,
            "fingerprint": Text(),
            "split": OrNull(Text()),
            "limit": OrNull(_COUNT),
        },
        {"groups": OrNull(Text()), "spec": OrNull(Text()), "folder": OrNull(Text())},
    ),
    "parameters": Record(
        {
            "quantiles": Listed(Number(0, 1, open=True), 1, 1000),
            "top": _COUNT,
            "upsample": Choice(UPSAMPLINGS),
        },
        {
            "bootstrap": Integer(0, MOST_RESAMPLES),
            "min_images": Integer(1, 2**31),
            "layer_upsample": Mapped(Choice(UPSAMPLINGS)),
            "bases": Listed(Text()),
        },
    ),
    "preprocessing": Record({"mean": _FACTORS, "std": _FACTORS, "scale": Number(), "channels": Text()}),
}
_RUN = Record(_SECTIONS)
_LAYER = Record(
    {
        "name": Text(),
        "op": Text(),
        "geometry": GEOMETRY,
        "units": Integer(1, 2**24),
        "shape": Listed(Integer(1, 2**24), 2, 2),
    },
    {"alias": Text(), "node": Text()},
)
# Name, dtype and shape; what they are is seen when they are unpacked.
_INDEXED = Listed(Either((Text(), Listed(Integer(0, 2**40), longest=8))), 3, 3)
_BASELINE = Record(
    {
        **_SECTIONS,
        "source": Text(),
        "iou_threshold": Number(0, 1),
        "scoring": Text(),
        "categories": Listed(Text(), distinct=True),
        "concepts": Listed(Text()),
        "layers": Listed(_LAYER, longest=100_000),
        "arrays": Record({"index": Listed(_INDEXED), "bytes": Text(2**28)}),
    },
    {"drawn_from": Number(1, 2**31)},
)


def expect_checkable(manifest: Mapping[str, Any], run: Path) -> None:
    """See that a run's manifest says what a check goes by; reading a run needs less.

    Parameters
    ----------
    manifest : mapping
    run : Path
        The run directory.

    Raises
    ------
    RunFormatError
        Naming the field that is missing.
    """
    try:
        _RUN.check(manifest, "")
    except FieldError as error:
        raise RunFormatError(
            f"{run / MANIFEST}: {error}, and a check goes by it", hint="dissect again with --fresh"
        ) from error


def check_baseline(body: Mapping[str, Any]) -> None:
    """See that a baseline file holds what it has to, its arrays apart.

    Parameters
    ----------
    body : mapping
        As read.

    Raises
    ------
    FieldError
        Naming the field.
    """
    _BASELINE.check(body, "")
    expect_distinct(body["layers"], "name", "layers")


def check_layer_arrays(
    arrays: Mapping[str, NDArray[Any]],
    levels: NDArray[np.float64] | None,
    per_image: PerImageCounts | None,
    body: Mapping[str, Any],
    place: str,
) -> None:
    """See that what the arrays of a layer number is there: kernels index with it.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Of the layer, of the dtypes and numbers of axes of the format.
    levels : ndarray of float64, shape (K, L), or None
        Its activations at evenly spread shares.
    per_image : PerImageCounts or None
        What they say image by image.
    body : mapping
        The file, as `check_baseline` left it.
    place : str
        Of the layer, such as ``layers[0]``.

    Raises
    ------
    FieldError
        If not.
    """
    units, concepts, images = len(arrays["label"]), len(body["concepts"]), body["data"]["images"]
    for name, least, stop in (
        ("label", -1, concepts),
        ("twin", 0, units),
        ("top_images", 0, images),
        ("iou", 0, 1 + _ROUNDED),
    ):
        values = arrays[name]
        if values.size and not (values.min() >= least and values.max() < stop):
            raise FieldError(f"{place}.{name}", f"holds values outside {least} to {stop:g}")
    for name in ("iou", "threshold"):
        if not np.isfinite(arrays[name]).all():
            raise FieldError(f"{place}.{name}", "holds values that are not finite")
    for name in ("low", "high", "stability"):
        known = arrays[name][~np.isnan(arrays[name])]
        if known.size and not (known.min() >= 0 and known.max() <= 1 + _ROUNDED):
            raise FieldError(f"{place}.{name}", "holds values outside 0 to 1")
    # NaN where no image is kept
    if np.isinf(arrays["highest"]).any() or (levels is not None and not np.isfinite(levels).all()):
        raise FieldError(place, "holds activations that are not finite")
    if per_image is not None and not _counted(per_image, concepts, images):
        raise FieldError(f"{place}.evidence", "is not of the images and concepts of the file")


def _counted(per_image: PerImageCounts, concepts: int, images: int) -> bool:
    top, starts = per_image.top_concepts, per_image.starts
    masks, activation, intersection = per_image.image, per_image.activation, per_image.intersection
    return bool(
        starts.size > 0
        and starts[0] == 0
        and starts[-1] == masks.size
        and (np.diff(starts) >= 0).all()
        and (top.size == 0 or (top.min() >= -1 and top.max() < concepts))
        and (masks.size == 0 or (masks.min() >= 0 and masks.max() < images))
        and (intersection.size == 0 or intersection.min() >= 0)
        and (activation.size == 0 or activation.min() >= 0)
        and (intersection <= activation[:, None]).all()
    )
