"""What each rule asks for, and what to do where it is not met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["DESCRIPTIONS", "Description"]


@dataclass(frozen=True, slots=True)
class Description:
    """A rule in words.

    Attributes
    ----------
    asks : str
        What must be so, in one sentence.
    remedy : str
        What to look at if it is not.
    """

    asks: str
    remedy: str


DESCRIPTIONS: Mapping[str, Description] = MappingProxyType(
    {
        "runnable": Description(
            "The model is a valid ONNX file and runs on the declared provider.",
            "Open the file with onnxdissect layers; export it again if it was cut short, or name its inputs, "
            "layouts, image size and operators with the options of the check.",
        ),
        "layers": Description(
            "Every layer of the baseline is there, with as many units.",
            "Compare onnxdissect layers of both files. After a wanted change of architecture, write the "
            "baseline anew.",
        ),
        "detectors": Description(
            "There are at least as many detectors as asked for.",
            "Look at iou-loss and labels, which name the units; if the figure was set too close, lower it.",
        ),
        "unique": Description(
            "There are at least as many distinct detected concepts as asked for.",
            "Look at unique-loss, which names the concepts that have no detector any more.",
        ),
        "categories": Description(
            "Each category has at least as many distinct detected concepts as asked for.",
            "Look at unique-loss, which names the concepts that have no detector any more.",
        ),
        "required": Description(
            "Each concept on the list has a detector.",
            "The evidence names the unit that comes closest: one just below the IoU threshold has faded, "
            "one at zero is gone.",
        ),
        "forbidden": Description(
            "No concept on the list has a detector.",
            "The evidence names the units. Look at their top images: the training data may carry the cue.",
        ),
        "labels": Description(
            "Enough of the baseline's reliable detectors keep their label.",
            "Units that all kept their IoU at other places were reordered, which is harmless if the next "
            "layer was reordered alike. Otherwise the network was trained anew, or computes something else.",
        ),
        "iou-loss": Description(
            "No detector lost more of its IoU than the margin, beyond chance.",
            "The evidence names unit, concept and p-value. A loss in all units points to preprocessing or "
            "precision, in a few to training or pruning.",
        ),
        "unique-loss": Description(
            "No layer lost more of its distinct concepts than the margin, beyond chance.",
            "The evidence names the concepts that have no detector any more.",
        ),
        "dead": Description(
            "No more units than before are never above zero behind a ReLU, or constant elsewhere.",
            "Look for pruned or zeroed channels, and for a zero point of a quantised layer that is off.",
        ),
        "duplicates": Description(
            "No more units than before do what another one does.",
            "Look for channels copied by a conversion, or saturated to the same value.",
        ),
        "drift": Description(
            "The activations of each layer keep their distribution.",
            "Calibrate a quantised model on images like the baseline's, and compare the preprocessing.",
        ),
        "parity": Description(
            "The two models compute the same numbers, layer by layer.",
            "The first layer that differs is where to look; differences grow from there.",
        ),
    }
)
"""By the name of the rule, in the order in which they are applied."""
