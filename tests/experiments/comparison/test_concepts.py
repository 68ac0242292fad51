"""What the layers of a comparison know of concepts."""

from __future__ import annotations

from pathlib import Path

import onnxdissect
from onnxdissect.experiments.comparison.concepts import layer_concepts
from onnxdissect.experiments.comparison.selection import Selection, open_runs, select


def test_all_ious_are_known_of_what_was_not_imported_whatever_images_it_lists(world: Path) -> None:
    run = onnxdissect.load(world / "one")
    (layer,) = select(open_runs([run]), Selection(layers=("relu0",)))
    iou = run.iou("relu0")[0]
    # its counts have been read, and are the same whoever is told of the images
    run.images = ()
    best = layer_concepts(layer).best
    for place, concept in enumerate(run.concepts):
        assert best.get((concept.name, concept.category), (0, 0.0))[1] == iou[:, place].max()
