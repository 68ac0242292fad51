"""From pixels to what a network was trained on: which numbers, and why these."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from onnxdissect.errors import ModelFormatError, ParameterError, nearest, shown
from onnxdissect.model.layers.records import ImageInput
from onnxdissect.model.preprocessing.presets import PRESETS, Preprocessing, numbers

if TYPE_CHECKING:
    from onnxdissect.model.network import Network

__all__ = ["METADATA_KEY", "choose_preprocessing"]

METADATA_KEY = "onnxdissect.preprocessing"
"""Metadata property that holds ``{"mean", "std", "scale", "channels"}`` as JSON."""


_LONGEST_METADATA = 10_000
# No larger whole number is a float.
_MOST_DIGITS = 308
"""Characters of the metadata property."""

_FEWEST_LEVELS = 128
"""Values of an integer input that pixels must be told apart by: half of them."""

# ONNX's standard image metadata
_PIXEL_FORMATS = {"Bgr8": "bgr", "Bgra8": "bgr", "Rgb8": "rgb", "Rgba8": "rgb", "Gray8": "rgb"}
_PIXEL_RANGES = {
    "NominalRange_0_255": PRESETS["raw"],
    "Normalized_0_1": PRESETS["unit"],
    "Normalized_1_1": PRESETS["tf"],
    "NominalRange_16_235": Preprocessing(
        "custom", (-16.0,) * 3, (1.0,) * 3, 219 / 255, "rgb", "model metadata"
    ),
}


def choose_preprocessing(
    network: Network,
    *,
    preset: str | None = None,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
    scale: float | None = None,
    channels: str | None = None,
) -> Preprocessing:
    """Decide how images are prepared for a network.

    What is asked for comes first, then the model's metadata, then what the graph's first operators do to the
    pixels, then an assumption: `imagenet` for a floating-point input, `raw` for an integer one (less 128
    where it has a sign).

    Parameters
    ----------
    network : Network
        The network.
    preset : str, optional
        One of `PRESETS`.
    mean, std : float or sequence of float, optional
        One value, or one per channel in the order in which the network takes them; 0 and 1 by default.
    scale : float, optional
        Factor on the pixel. By default 1/255, unless a mean beyond 2 or a standard deviation above 2 shows
        that they are on the scale of 0..255; then 1.
    channels : str, optional
        "rgb" or "bgr". On its own, or with a preset, it turns that preprocessing's numbers round with it.

    Returns
    -------
    Preprocessing

    Raises
    ------
    ParameterError
        If a name is unknown, a number impossible, or a preset is asked for together with numbers.
    ModelFormatError
        If the model's metadata cannot be read.
    """
    explicit = {"mean": mean, "std": std, "scale": scale}
    given = [name for name, value in explicit.items() if value is not None]
    if channels is not None and channels not in ("rgb", "bgr"):
        raise ParameterError(f"unknown channel order {channels!r}", candidates=("rgb", "bgr"))
    if channels is not None and network.input.channels == 1:
        raise ParameterError(
            "the network takes grey images, whose channels have no order", hint="leave --channels out"
        )
    if preset is not None:
        if preset not in PRESETS:
            raise ParameterError(
                f"unknown preset {preset!r}", candidates=nearest(preset, PRESETS) or tuple(PRESETS)
            )
        if given:
            raise ParameterError(
                f"preset {preset!r} together with {', '.join(given)}: a preset sets them all",
                hint=f"leave out either --preset or {', '.join('--' + name for name in given)}",
            )
        return _told_apart(_fit(PRESETS[preset], network.input, channels), network.input)
    if given:
        custom = _custom(mean, std, scale, channels or "rgb", network.input.channels, "asked for")
        return _told_apart(_fit(custom, network.input, None), network.input)
    found = _from_metadata(network)
    if found is not None:
        return _fit(found, network.input, channels)
    # the command line names the presets without loading onnx
    from onnxdissect.model.preprocessing.embedded import preprocessing_inside

    floats = network.input.dtype.startswith("float")
    inside = preprocessing_inside(network.model.graph, network.input) if floats else None
    if inside is not None and inside.preset is not None:
        found = replace(PRESETS[inside.preset], source="read off the graph")
        return _fit(found, network.input, channels or inside.channels)
    assumed = PRESETS["imagenet" if floats else "raw"]
    if inside is not None:
        assumed = replace(assumed, remark=_unknown(inside.formula))
    if network.input.dtype == "int8":
        assumed = replace(assumed, name="custom", mean=(128.0,) * 3)
    order = channels or _PIXEL_FORMATS.get(network.metadata.get("Image.BitmapPixelFormat", ""))
    return _fit(replace(assumed, source="assumed"), network.input, order)


def _unknown(formula: str) -> str:
    return (
        f"the graph begins with {formula} on its pixels, which turns none of the known preprocessings into "
        "another, so what it takes is not known: imagenet is a guess; --preset, or --mean, --std and --scale "
        "state what it was trained on"
    )


def _fit(preprocessing: Preprocessing, image: ImageInput, channels: str | None) -> Preprocessing:
    """Turn the channels round, and reduce three to one for grey-scale networks."""
    mean, std = preprocessing.mean, preprocessing.std
    order = channels or preprocessing.channels
    if order != preprocessing.channels:
        mean, std = mean[::-1], std[::-1]
    if image.channels == 1 and len(mean) > 1:
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    return replace(preprocessing, mean=mean, std=std, channels=order)


def _told_apart(preprocessing: Preprocessing, image: ImageInput) -> Preprocessing:
    """Refuse what rounds most of the 256 pixel values of an integer input to a few."""
    if image.dtype.startswith("float"):
        return preprocessing
    # names of presets are asked for before NumPy is needed
    import numpy as np

    limits = np.iinfo(image.dtype)
    for mean, std in zip(preprocessing.mean, preprocessing.std, strict=True):
        values = (np.arange(256) * preprocessing.scale - mean) / std
        kept = len(np.unique(np.clip(np.rint(values), limits.min, limits.max)))
        if kept < _FEWEST_LEVELS:
            raise ParameterError(
                f"the network takes pixels as {image.dtype}: prepared so, {kept} of their 256 values are "
                f"left ({preprocessing.name})",
                hint="--preset raw, or a mean, std and scale that keep them apart",
            )
    return preprocessing


def _custom(
    mean: Sequence[float] | float | None,
    std: Sequence[float] | float | None,
    scale: float | None,
    channels: str,
    count: int,
    source: str,
) -> Preprocessing:
    means = _per_channel("mean", 0.0 if mean is None else mean, count)
    stds = _per_channel("std", 1.0 if std is None else std, count)
    if any(value <= 0 for value in stds):
        raise ParameterError(f"a standard deviation is positive, got {numbers(stds)}")
    if scale is None:
        scale = 1.0 if any(abs(m) > 2 for m in means) or any(s > 2 for s in stds) else 1 / 255
    if not math.isfinite(scale) or scale <= 0:
        raise ParameterError(f"a scale is positive, got {scale:g}")
    return Preprocessing("custom", means, stds, float(scale), channels, source)


def _per_channel(name: str, values: Sequence[float] | float, count: int) -> tuple[float, ...]:
    listed = [float(values)] if isinstance(values, (int, float)) else [float(value) for value in values]
    if len(listed) not in (1, count):
        raise ParameterError(f"{name} has {len(listed)} values, the network has {count} channels")
    if not all(math.isfinite(value) for value in listed):
        raise ParameterError(f"{name} must be finite, got {numbers(tuple(listed))}")
    return tuple(listed) * (count if len(listed) == 1 else 1)


def _from_metadata(network: Network) -> Preprocessing | None:
    metadata = network.metadata
    text = metadata.get(METADATA_KEY)
    if text is not None:
        return _from_json(text, network)
    known = _PIXEL_RANGES.get(metadata.get("Image.NominalPixelRange", ""))
    if known is None and metadata.get("author") == "Ultralytics":
        # its exporter names the task and the image size, and leaves pixels at 0..1
        known = PRESETS["unit"]
    if known is None:
        return None
    order = _PIXEL_FORMATS.get(metadata.get("Image.BitmapPixelFormat", ""), "rgb")
    return replace(known, channels=order, source="model metadata")


def _from_json(text: str, network: Network) -> Preprocessing:
    try:
        if len(text) > _LONGEST_METADATA:
            raise ParameterError(
                f"it has {len(text):,} characters, and at most {_LONGEST_METADATA:,} are read"
            )
        found: Any = json.loads(text, parse_int=_whole_number)
        if not isinstance(found, dict) or not found.keys() <= {"mean", "std", "scale", "channels", "name"}:
            raise ParameterError("expected an object of mean, std, scale and channels")
        channels = found.get("channels", "rgb")
        if channels not in ("rgb", "bgr"):
            raise ParameterError(f"unknown channel order {shown(str(channels))}")
        mean, std, scale = (_json_numbers(name, found.get(name)) for name in ("mean", "std", "scale"))
        if isinstance(scale, list):
            raise ParameterError("scale is a list, where one number is meant")
        custom = _custom(mean, std, scale, channels, network.input.channels, "")
    except (ValueError, TypeError, OverflowError, RecursionError, ParameterError) as error:
        reason = error.message if isinstance(error, ParameterError) else str(error)
        if isinstance(error, RecursionError):
            reason = "it is nested too deep: expected an object of mean, std, scale and channels"
        raise ModelFormatError(
            f"the metadata property {METADATA_KEY!r} of {network.path} cannot be read: {reason}",
            hint="override it with --preset, or with --mean, --std and --scale",
        ) from error
    same = (custom.mean, custom.std, custom.scale, custom.channels)
    name = next(
        (p.name for p in PRESETS.values() if (p.mean, p.std, p.scale, p.channels) == same), custom.name
    )
    return replace(custom, name=name, source="model metadata")


def _whole_number(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ParameterError(
            f"it holds a number of {len(text):,} digits, and numbers of at most {_MOST_DIGITS} are read"
        )
    return int(text)


def _json_numbers(name: str, value: object) -> float | list[float] | None:
    """Read a number or a list of them; texts and truths, which `float` would take too, are none."""
    if value is None:
        return None
    values: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
        raise ParameterError(f"{name} is no number and no list of numbers")
    floats = [float(each) for each in values]
    return floats if isinstance(value, list) else floats[0]
