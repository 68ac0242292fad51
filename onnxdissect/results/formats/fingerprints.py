"""Which archives are a run's own: those of another run may have the same shapes, and would be believed.

An archive lists the checksums of its arrays, and an array that is read is compared with its own. So the list
tells an archive apart, and the manifest keeps a checksum of it: no array is read for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxdissect.errors import RunFormatError
from onnxdissect.results.formats.arrays import TALLY, TOP_MASKS
from onnxdissect.results.formats.intervals import INTERVALS
from onnxdissect.results.formats.per_image_counts import EVIDENCE, NULL, TRUTH
from onnxdissect.results.formats.published import PUBLISHED
from onnxdissect.results.formats.top_maps import SAMPLES, TOP_MAPS
from onnxdissect.results.records import LayerInfo
from onnxdissect.storage.archive_reader import archive_fingerprint
from onnxdissect.storage.fields import shown

__all__ = ["ARCHIVES", "expect_own_archives", "expect_own_intervals", "fingerprints"]

ARCHIVES = "archives"
"""Key of the manifest."""

_OF_LAYERS = (TALLY, TOP_MASKS, TOP_MAPS, SAMPLES, EVIDENCE, NULL, INTERVALS, PUBLISHED)


def fingerprints(folder: Path, layers: Sequence[LayerInfo]) -> dict[str, str]:
    """Tell the archives of a run apart from all others.

    Parameters
    ----------
    folder : Path
        The run directory.
    layers : sequence of LayerInfo
        All of the run.

    Returns
    -------
    dict of str to str
        For each archive that is there, by its path inside the run directory: eight hexadecimal digits.
    """
    found = {name: archive_fingerprint(folder / name) for name in _names(layers)}
    return {name: fingerprint for name, fingerprint in found.items() if fingerprint is not None}


def expect_own_archives(folder: Path, manifest: Mapping[str, Any], layers: Sequence[LayerInfo]) -> None:
    """See that the archives of a run are those that it wrote, but for intervals, which can be made anew.

    Parameters
    ----------
    folder : Path
        The run directory.
    manifest : mapping
        Those of earlier versions tell of no archives.
    layers : sequence of LayerInfo
        All of the run.

    Raises
    ------
    RunFormatError
        If one is another. Those that are not there, or are no archives, are told of by whoever reads them.
    """
    for name in _names(layers):
        if not name.endswith(INTERVALS):
            _expect_own(
                folder, manifest, name, "put back the file that the run wrote, or dissect again with --fresh"
            )


def expect_own_intervals(folder: Path, manifest: Mapping[str, Any], layer: LayerInfo) -> None:
    """See that the intervals of a layer are those that the run wrote.

    Parameters
    ----------
    folder, manifest
        As for `expect_own_archives`.
    layer : LayerInfo

    Raises
    ------
    RunFormatError
        If they are others.
    """
    _expect_own(
        folder, manifest, f"layers/{layer.slug}/{INTERVALS}", "onnxdissect rescore makes the file anew"
    )


def _expect_own(folder: Path, manifest: Mapping[str, Any], name: str, hint: str) -> None:
    own = manifest.get(ARCHIVES, {}).get(name)
    # a manifest that tells of none is of an earlier version; one that leaves this one out is not the run's
    found = None if own is None and ARCHIVES not in manifest else archive_fingerprint(folder / name)
    if found not in (None, own):
        raise RunFormatError(
            f"{folder / name} does not belong to this run: it is not the file that the run wrote, by its "
            f"checksum {found}; the manifest has {shown(own)}",
            hint=hint,
        )


def _names(layers: Sequence[LayerInfo]) -> Iterator[str]:
    yield TRUTH
    for info in layers:
        for name in _OF_LAYERS:
            yield f"layers/{info.slug}/{name}"
