"""Which concepts say little as labels: colours, what is everywhere, surfaces that fill their images."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from onnxdissect.results.records import Concept, ImageInfo
from onnxdissect.results.sweep.records import GenericConcept

__all__ = ["FILLING", "REASONS", "WIDE", "generic_concepts"]

REASONS = ("color", "wide", "filling")
"""Why a concept is generic; the first that applies is told."""

WIDE = Fraction(1, 10)
"""A concept is wide if it covers more than this share of all pixels."""

FILLING = Fraction(1, 4)
"""A texture or material is filling if it covers more than this share of the images that hold it."""

_COLORS = frozenset({"color", "colour"})
_SURFACES = frozenset({"texture", "material"})


def generic_concepts(concepts: Sequence[Concept], images: Sequence[ImageInfo]) -> tuple[GenericConcept, ...]:
    """Find the concepts that a loose threshold turns labels into (the paper's remark on the choice of tau).

    With p pixels of all n images together, a concept of t pixels in i images is

    - ``color`` if its category is color (or colour),
    - ``wide`` if t / p > 0.1, whatever its category. A scene labels whole images, so it is wide where more
      than about a tenth of the images show it,
    - ``filling`` if its category is texture or material and (t / p) / (i / n) > 0.25: on average it covers
      more than a quarter of the images that hold it. Textures that label whole images, as those of Broden,
      always do.

    Parameters
    ----------
    concepts : sequence of Concept
        In order of their numbers.
    images : sequence of ImageInfo
        All images of the run.

    Returns
    -------
    tuple of GenericConcept
        In order of their numbers; only such as some image holds.
    """
    pixels = sum(image.grid[0] * image.grid[1] for image in images)
    found = []
    for concept in concepts:
        reason = _reason(concept, pixels, len(images))
        if reason:
            share = concept.truth / pixels
            found.append(GenericConcept(concept.number, concept.name, concept.category, share, reason))
    return tuple(found)


def _reason(concept: Concept, pixels: int, images: int) -> str:
    if not concept.truth:
        return ""
    if concept.category in _COLORS:
        return "color"
    # Exactly: a share that is the limit is not above it.
    if concept.truth > WIDE * pixels:
        return "wide"
    if concept.category in _SURFACES and concept.truth * images > FILLING * concept.images * pixels:
        return "filling"
    return ""
