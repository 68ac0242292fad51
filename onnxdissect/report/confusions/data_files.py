"""What the script of the page reads: classes, units, and images with the masks of their strongest units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onnxdissect.report.data.photos import Photos
from onnxdissect.report.data.rle import text_of_mask
from onnxdissect.report.pages.data_files import most_common_aspect
from onnxdissect.report.pages.scripts import rounded

if TYPE_CHECKING:
    from onnxdissect.experiments.confusions import Example, LabelledExplanations

__all__ = ["predictions_record"]


def predictions_record(
    result: LabelledExplanations, colours: Mapping[str, int], photos: Photos, report: str
) -> dict[str, Any]:
    """Give what the script needs.

    Parameters
    ----------
    result : LabelledExplanations
    colours : mapping of str to int
        Number of each category's colour.
    photos : Photos
        Which lie beside the page.
    report : str
        Address of the layer's page in the report of its run; empty where there is none.

    Returns
    -------
    dict
        ``classes``: number, name, and images told right and wrong; ``units``: by number label, category and
        colour of those that a picture shows; ``images``: of each its position, name, class, class predicted,
        photograph, grid and units, each [unit, contribution, share, held, mask].
    """
    told = {one.unit for example in result.examples for one in result.images[example.image].units}
    return {
        "report": report,
        "aspect": most_common_aspect(photos),
        "classes": [
            [one.class_index, one.class_name, one.right, one.images - one.right] for one in result.classes
        ],
        "units": {
            unit: [*result.labels[unit], colours.get(result.labels[unit][1], 0)] for unit in sorted(told)
        },
        "confusions": [[one.class_index, one.predicted_index, one.images] for one in result.confusions],
        "images": [_image(result, example, photos) for example in result.examples],
    }


def _image(result: LabelledExplanations, example: Example, photos: Photos) -> dict[str, Any]:
    image = result.images[example.image]
    return {
        "at": example.image,
        "name": image.name,
        "shown": image.class_index,
        "told": image.predicted_index,
        "photo": photos.sizes.get(example.image),
        "grid": example.grid,
        "units": [
            [
                one.unit,
                rounded(one.contribution),
                rounded(one.share),
                one.held,
                text_of_mask(example.mask(place)),
            ]
            for place, one in enumerate(image.units)
        ],
    }
