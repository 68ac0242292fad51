"""What ``manifest.json`` has to hold, as rules: checked before anything of a run is computed or allocated.

One table. A field that is not in it is kept as it is and decides nothing; a field that is to decide something
gets a rule here. That every number of the file is finite and within 64 bits holds for all of it, see
`onnxdissect.storage.json_file`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from onnxdissect.core.upsampling import UPSAMPLINGS
from onnxdissect.data.broden.about import ABOUT_RULE
from onnxdissect.storage.fields import (
    Choice,
    Either,
    FieldError,
    Integer,
    Listed,
    Mapped,
    Number,
    OrNull,
    Record,
    Text,
    expect_distinct,
    shown,
)

__all__ = ["GEOMETRY", "MOST_RESAMPLES", "check_manifest"]

MOST_RESAMPLES = 1_000_000
"""Of the bootstrap, and as many shuffles: what a run is made or assessed again with."""

# Far beyond what any network or data set has, and small enough that products of some of them are exact.
_MOST_UNITS = 2**24
_MOST_CELLS = 2**24
_MOST_PIXELS = 2**31
_MOST_IMAGES = 2**31

# What a name says of the seed and the share, where it says so.
_NAMED = {
    "rotation": re.compile(r"rotation:seed=(?P<seed>[0-9]{1,19}),alpha=(?P<alpha>[0-9.e-]{1,20})"),
    "permutation": re.compile(r"permutation:seed=(?P<seed>[0-9]{1,19})"),
    "directions": re.compile(r"directions:seed=(?P<seed>[0-9]{1,19})(?:,n=(?P<n>[0-9]{1,9}))?"),
    "pca": re.compile(r"pca:n=(?P<n>[0-9]{1,9})"),
}
_SLUG = re.compile(r"[A-Za-z0-9._-]+")

_COUNT = Integer(0, _MOST_IMAGES)
_SIDES = Listed(Number(-_MOST_PIXELS, _MOST_PIXELS), 2, 2)
_SIZES = Listed(Number(0, _MOST_PIXELS), 2, 2)
# Negative where an axis runs against the input's.
_STRIDES = Listed(Number(-_MOST_PIXELS, _MOST_PIXELS, nonzero=True), 2, 2)
_NAMES = Listed(Text())
_FACTORS = Listed(Number(), 1, 1024)

GEOMETRY = OrNull(Record({"offset": _SIDES, "stride": _STRIDES, "size": OrNull(_SIZES)}))
"""Of receptive fields; attention and global pools leave no size."""


class _Digits:
    """A checksum in hexadecimal digits."""

    def __init__(self, digits: int) -> None:
        self.wanted = f"{digits} hexadecimal digits"
        self._pattern = re.compile(f"[0-9a-f]{{{digits}}}")

    def check(self, value: Any, place: str) -> None:
        """See `onnxdissect.storage.fields.Field`."""
        if not isinstance(value, str) or self._pattern.fullmatch(value) is None:
            raise FieldError(place, f"is {shown(value)}, not {self.wanted}")


_BASIS = Record(
    required={
        "kind": Choice(("identity", "rotation", "permutation", "directions", "pca", "file", "matrix")),
        "name": Text(),
        "shape": Listed(Integer(1, _MOST_UNITS), 2, 2),
        "sha256": _Digits(64),
    },
    optional={
        "seed": Integer(0),
        "alpha": Number(0, 1),
        "n": Integer(1, _MOST_UNITS),
        "places": Integer(0),
        "variance_share": Number(),
        "file": Text(),
        "file_sha256": _Digits(64),
        "activation": Text(),
        "names": _NAMES,
    },
)
_LAYER = Record(
    required={
        "name": Text(),
        "alias": Text(),
        "slug": Text(255),
        "op": Text(),
        "layout": Text(),
        "units": Integer(1, _MOST_UNITS),
        "shape": OrNull(Listed(Integer(1, _MOST_CELLS), 2, 2)),
        "geometry": GEOMETRY,
        "upsample": Text(),
    },
    optional={
        "node": Text(),
        "folder": Text(),
        "basis": _BASIS,
        "effective": OrNull(
            Record(
                {
                    "offset": _SIDES,
                    "stride": _STRIDES,
                    "spread": _SIZES,
                    "error": _SIZES,
                    "images": _COUNT,
                }
            )
        ),
    },
)
_DATA = Record(
    required={"categories": Listed(Text(), distinct=True)},
    optional={
        "name": Text(),
        "folder": OrNull(Text()),
        "spec": OrNull(Text()),
        "fingerprint": OrNull(Text()),
        "images": _COUNT,
        "concepts": _COUNT,
        "split": OrNull(Text()),
        "limit": OrNull(_COUNT),
        "groups": OrNull(Text()),
        "about": ABOUT_RULE,
    },
)
_PARAMETERS = Record(
    required={
        "quantiles": Listed(Number(0, 1, open=True), 1, 1000, distinct=True),
        "iou_threshold": Number(0, 1),
        "scoring": Text(),
    },
    optional={
        "layers": _NAMES,
        "values": _NAMES,
        "upsample": Text(),
        "top": _COUNT,
        "batch_size": Either((Integer(1, _MOST_IMAGES), Text())),
        "provider": Text(),
        "bootstrap": Integer(0, MOST_RESAMPLES),
        "null": Integer(0, MOST_RESAMPLES),
        "seed": Integer(),
        "min_images": Integer(1, _MOST_IMAGES),
        "bases": _NAMES,
    },
)
_MODEL = Record(
    optional={
        "path": Text(),
        "sha256": Text(),
        "producer": Text(),
        "input": Text(),
        "opset": OrNull(Either((Integer(), Mapped(Integer())))),
        "size": OrNull(Listed(Integer(1, _MOST_CELLS), 2, 2)),
        "bind": Mapped(),
        "layouts": Mapped(),
        "custom_ops": Listed(Text()),
    }
)
_PREPROCESSING = Record(
    optional={
        "name": Text(),
        "mean": _FACTORS,
        "std": _FACTORS,
        "scale": Number(),
        "channels": Text(),
        "source": Text(),
    }
)
_IMPORTED = Record(
    required={
        "format": Choice(("netdissect",)),
        "files": Listed(
            Record(required={"file": Text(), "sha256": _Digits(64), "layers": _NAMES}), 1, 100_000
        ),
        "known": _NAMES,
    },
    optional={
        "network": Text(),
        "left_out": _NAMES,
        "nameless": Listed(
            Record(
                required={
                    **{name: Text() for name in ("layer", "category")},
                    **dict.fromkeys(("units", "labels", "detectors"), _COUNT),
                }
            )
        ),
    },
)
_MANIFEST = Record(
    required={"data": _DATA, "parameters": _PARAMETERS, "layers": Listed(_LAYER, longest=100_000)},
    optional={
        "model": _MODEL,
        "preprocessing": _PREPROCESSING,
        "provider": OrNull(Either((Text(), Record(optional={"name": Text(), "note": Text()})))),
        "batch_size": OrNull(Either((Integer(1, _MOST_IMAGES), Text()))),
        "imported": _IMPORTED,
        "made_with": Record(optional={"min_images": Integer(1, _MOST_IMAGES)}),
        "kept_masks": Record(optional=dict.fromkeys(("version", "points", "bytes"), Integer())),
        "relabelled": Record(
            optional={
                **dict.fromkeys(("run", "data", "fingerprint"), OrNull(Text())),
                "other_grids": _COUNT,
            }
        ),
        "archives": Mapped(_Digits(8)),
        "coverage": OrNull(
            Record(optional={"share": OrNull(Number(0, 1)), "open_values": _COUNT, "values": _COUNT})
        ),
        "statistics": Mapped(Number()),
        "memory": Mapped(Integer()),
        "timing": Mapped(Number(0, 1e12)),
        "versions": Mapped(OrNull(Text())),
        "warnings": OrNull(Listed(Text())),
    },
)
# Kept masks lie on the network's input.
_WITH_MASKS = Record({"model": Record({"size": Listed(Integer(1, _MOST_CELLS), 2, 2)})})


def check_manifest(manifest: Mapping[str, Any]) -> None:
    """See that a manifest holds what reading a run needs, and that nothing in it is out of bounds.

    Parameters
    ----------
    manifest : mapping
        As read.

    Raises
    ------
    FieldError
        Naming the field.
    """
    _MANIFEST.check(manifest, "")
    if "kept_masks" in manifest:
        _WITH_MASKS.check(manifest, "")
    layers = manifest["layers"]
    imported = "imported" in manifest
    for name in ("name", "slug"):
        expect_distinct(layers, name, "layers")
    own_units = {layer["name"]: layer["units"] for layer in layers}
    for i, layer in enumerate(layers):
        # It becomes a path: "../.." must not lead out of the run directory.
        if not _SLUG.fullmatch(layer["slug"]) or not layer["slug"].strip("."):
            raise FieldError(f"layers[{i}].slug", f"is {shown(layer['slug'])}, no folder name of a layer")
        folder = layer.get("folder", f"layers/{layer['slug']}")
        if folder != f"layers/{layer['slug']}":
            raise FieldError(f"layers[{i}].folder", f"is {shown(folder)}, not layers/{layer['slug']}")
        if layer.get("basis") is not None:
            _check_basis(layer, own_units, f"layers[{i}].basis")
        if layer["shape"] is None and not imported:
            raise FieldError(f"layers[{i}].shape", "is null, which only imported results may have")
        if layer["upsample"] not in UPSAMPLINGS and not (imported and layer["upsample"] == ""):
            raise FieldError(
                f"layers[{i}].upsample", f"is {shown(layer['upsample'])}, not {' or '.join(UPSAMPLINGS)}"
            )


def _check_basis(layer: Mapping[str, Any], own_units: Mapping[str, int], place: str) -> None:
    """See that a basis makes the layer's units, of as many as the layer itself has, and names all or none."""
    basis = layer["basis"]
    rows, columns = basis["shape"]
    ending = f"/basis/{basis['name']}"
    if not basis["name"] or not layer["name"].endswith(ending):
        raise FieldError(
            f"{place}.name", f"is {shown(basis['name'])}, and the layer is called {shown(layer['name'])}"
        )
    _check_settings(basis, place)
    if rows != layer["units"]:
        raise FieldError(f"{place}.shape", f"is [{rows}, {columns}], not of {layer['units']} units")
    own = own_units.get(layer["name"].removesuffix(ending), columns)
    if own != columns:
        raise FieldError(f"{place}.shape", f"is [{rows}, {columns}], and the layer itself has {own} units")
    if len(basis.get("names", ())) not in (0, rows):
        raise FieldError(f"{place}.names", f"has {len(basis['names']):,} names for {rows:,} units")


def _check_settings(basis: Mapping[str, Any], place: str) -> None:
    """See that seed, share and number of rows are those that the name tells of, if it does."""
    pattern = _NAMED.get(basis["kind"])
    named = pattern.fullmatch(basis["name"]) if pattern else None
    for key, said in named.groupdict().items() if named else ():
        told = basis.get(key)
        text = f"{told:.12g}" if key == "alpha" and told is not None else str(told)
        if said is not None and said != text:
            raise FieldError(f"{place}.{key}", f"is {shown(told)}, where the name says {said}")
