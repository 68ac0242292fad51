"""A layer of a run from which the network computes its class scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onnxdissect.experiments.class_scores.picture import prepared
from onnxdissect.experiments.class_scores.run_layer import choose_layer, network_of_run, run_preprocessing
from onnxdissect.experiments.class_scores.target import class_names
from onnxdissect.model import Layer, Network, Preprocessing
from onnxdissect.model.runtime.parts.network_parts import NetworkParts
from onnxdissect.model.runtime.parts.opening import open_parts
from onnxdissect.model.scores.class_scores import ClassScores, find_class_scores
from onnxdissect.model.scores.reduction import reduce_scores
from onnxdissect.results import Dissection, load
from onnxdissect.results.records import LayerInfo, Unit

__all__ = ["ScoredLayer", "find_scored_layer"]


@dataclass(frozen=True, slots=True)
class ScoredLayer:
    """A layer of a run, the network that it is of, and the class scores behind it.

    Attributes
    ----------
    run : Dissection
        Whose labels and thresholds units have.
    network : Network
        The model of the run.
    scores : ClassScores
        What is computed from the layer.
    names : tuple of str or None
        What classes are called; None where nobody says.
    info : LayerInfo
        The layer as the run knows it.
    layer : Layer
        The layer as the network has it.
    preprocessing : Preprocessing
        Of the run.
    """

    run: Dissection
    network: Network
    scores: ClassScores
    names: tuple[str, ...] | None
    info: LayerInfo
    layer: Layer
    preprocessing: Preprocessing

    @property
    def quantile(self) -> float:
        """The level tau of thresholds and labels: the run's first."""
        return self.run.quantiles[0]

    def units(self) -> Sequence[Unit]:
        """Give the labelled units of the layer, in order.

        Returns
        -------
        sequence of Unit
        """
        return self.run.units(self.info.name, self.quantile)

    def class_name(self, number: int) -> str:
        """Name a class.

        Parameters
        ----------
        number : int

        Returns
        -------
        str
            Its number where names are not known.
        """
        return str(number) if self.names is None else self.names[number]

    def prepared(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """Prepare an image as the run prepared its own.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
            RGB, of any size.

        Returns
        -------
        ndarray
            A batch of one, in the layout and type of the image input.
        """
        return prepared(pixels, self.network, self.preprocessing)

    def open(
        self,
        pixels: NDArray[np.uint8],
        *,
        provider: str = "auto",
        notify: Callable[[str], None] | None = None,
    ) -> NetworkParts:
        """Split the network at the layer, and load both parts.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
            An image on which the parts have to compute what the network does.
        provider : str
            Where they run.
        notify : callable, optional
            Told, in a line each, what a person should know.

        Returns
        -------
        NetworkParts
            With the scores as first output.

        Raises
        ------
        ModelError
            If the provider is not to be had, or the parts do not compute what the network does.
        """
        parts = open_parts(
            self.network,
            self.layer,
            outputs=[self.scores.value],
            provider=provider,
            verify=self.prepared(pixels),
        )
        if notify is not None:
            for line in parts.warnings:
                notify(line)
        return parts


def find_scored_layer(
    model: str | Path,
    run: str | Path | Dissection,
    *,
    layer: str | None = None,
    classes: str | Path | Sequence[str] | None = None,
    output: str | None = None,
    reduce: str | None = None,
    bind: Mapping[str, ArrayLike | str] | None = None,
    custom_ops: Sequence[str | Path] = (),
) -> ScoredLayer:
    """Read a run and its network, and find the layer and the scores that are asked for.

    Parameters
    ----------
    model : str or Path
        The ONNX file that the run was made of.
    run : str, Path or Dissection
        A finished run.
    layer : str, optional
        A layer of the run, by default the deepest through which everything reaches the scores.
    classes : str, Path or sequence of str, optional
        Names of the classes, or a file with one a line; by default those of the model's metadata.
    output : str, optional
        The network's output with the scores, where there are several.
    reduce : str, optional
        How an output that scores classes at many places is made one vector, see `reduce_scores`.
    bind : mapping of str to array_like or str, optional
        Values of inputs beside the image, as in the run.
    custom_ops : sequence of str or Path
        Libraries of operators that onnxruntime lacks.

    Returns
    -------
    ScoredLayer

    Raises
    ------
    OnnxDissectError
        If the run is of another model, the output is no vector of class scores, there is no such layer, or
        something of the image gets around it.
    """
    dissection = run if isinstance(run, Dissection) else load(run)
    network = network_of_run(model, dissection, bind=bind, custom_ops=custom_ops)
    if reduce is None:
        scores = find_class_scores(network, output)
    else:
        network, scores = reduce_scores(network, output, reduce)
    names = class_names(network, scores, classes)
    chosen = choose_layer(dissection, network, scores, layer)
    return ScoredLayer(
        dissection, network, scores, names, chosen.info, chosen.layer, run_preprocessing(dissection)
    )
