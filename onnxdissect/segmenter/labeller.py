"""A segmenter at work: from the pixels of an image to label maps."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data import Vocabulary
from onnxdissect.errors import DataFormatError, OnnxDissectError
from onnxdissect.model import Network, Preparer, Preprocessing, choose_preprocessing, load_network
from onnxdissect.model.runtime.choosing import load_graph, open_by_provider
from onnxdissect.model.runtime.inference import Runtime
from onnxdissect.segmenter.class_list import ClassList
from onnxdissect.segmenter.heads import Head, Heads, find_heads
from onnxdissect.segmenter.pixel_labels import UNLABELLED, choose_classes, resize_numbers, resize_scores
from onnxdissect.segmenter.spec import SegmenterSpec

__all__ = ["Labeller", "open_labeller"]

_MOST_TOLD = 10
_OPTION = re.compile(
    r"--(image-size|layout|preset|mean|std|scale|channels|provider)\b(?: (?=\d|\S+=|raw\b|cpu\b))?"
)
_NOT_HERE = re.compile(r"--(bind|custom-ops)")
_ARGUMENTS = {"image-size": "size"}


class Labeller:
    """Labels one image at a time; may be called from several threads at once.

    An image's labels depend on nothing but the image: it is never run together with others, and every sum
    within the network is taken by one thread. The network is loaded when the first image is labelled.

    Parameters
    ----------
    spec : SegmenterSpec
    network : Network
        The segmenter.
    heads : Heads
        Its outputs.
    preprocessing : Preprocessing
        Of the segmenter, whatever the dissected network's is.
    """

    def __init__(
        self, spec: SegmenterSpec, network: Network, heads: Heads, preprocessing: Preprocessing
    ) -> None:
        self.network = network
        self.preprocessing = preprocessing
        self._spec = spec
        self._heads = heads
        self._lock = threading.Lock()
        self._loaded: tuple[Runtime, Preparer] | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """The classes that label pixels."""
        return self._heads.vocabulary

    @property
    def grid(self) -> tuple[int, int]:
        """(sh, sw) of every image."""
        return self._heads.grid

    def decisive(self) -> dict[str, Any]:
        """Give what decides the labels of an image, as JSON values.

        Returns
        -------
        dict of str to object
        """
        return {
            "model": self.network.sha256,
            "asked": self._spec.decisive(),
            "preprocessing": self.preprocessing.to_json(),
            "size": list(self.network.size),
            "grid": list(self.grid),
            "classes": [
                [head.found.output, head.listed.names, head.listed.categories] for head in self._heads.heads
            ],
        }

    def __call__(self, image: NDArray[np.uint8], called: str) -> list[NDArray[np.uint16]]:
        """Label an image.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            RGB, of any size.
        called : str
            What to call it in messages.

        Returns
        -------
        list of ndarray of uint16, shape (sh, sw)
            Of each head, label numbers, 0 where unlabelled.

        Raises
        ------
        DataFormatError
            If the segmenter gives no finite scores for it, or a number that is no class.
        ModelRuntimeError
            If onnxruntime fails.
        """
        runtime, preparer = self._opened()
        heads = self._heads.heads
        batch = np.empty((1, *preparer.shape), preparer.dtype)
        preparer(image, batch[0])
        if self.network.input.batch:
            batch = np.repeat(batch, self.network.input.batch, axis=0)
        outputs = runtime({self.network.input.name: batch}, [head.found.output for head in heads])
        return [self._numbers(head, found, called) for head, found in zip(heads, outputs, strict=True)]

    def _opened(self) -> tuple[Runtime, Preparer]:
        with self._lock:
            if self._loaded is None:
                network = self.network
                try:
                    runtime = open_by_provider(self._spec.provider, partial(_load, network))
                except OnnxDissectError as error:
                    raise _of_segmenter(error, self._spec) from error
                self._loaded = runtime, Preparer(self.preprocessing, network.input, network.size)
            return self._loaded

    def _numbers(self, head: Head, output: NDArray[Any], called: str) -> NDArray[np.uint16]:
        found = head.found
        one = output if output.shape == found.shape else output[0]
        if one.shape != found.shape:
            raise DataFormatError(
                f"{self.network.path.name} gives {list(output.shape)} in {found.output!r} for {called}, and "
                f"should give {list(found.shape)} of an image"
            )
        array = found.classes_first(one)
        if found.numbered:
            return self._of_numbers(head, resize_numbers(array, self.grid), called)
        with np.errstate(over="ignore"):  # what becomes infinite is told below
            scores = resize_scores(array.astype(np.float32), self.grid)
        confidence = self._spec.confidence
        if confidence is not None and head.chances:
            self._check_chances(head, scores, called)
        chosen = choose_classes(scores, least=confidence, chances=head.chances)
        if chosen is None:
            raise DataFormatError(
                f"{self.network.path.name} gives NaN or infinity in {found.output!r} for {called}",
                hint="a preprocessing that it was not trained with may do so: preset=, mean=, std=, scale=",
            )
        numbers = head.numbers[np.maximum(chosen, 0)]
        numbers[chosen == UNLABELLED] = 0
        return numbers

    def _of_numbers(self, head: Head, classes: NDArray[np.integer], called: str) -> NDArray[np.uint16]:
        listed = len(head.numbers)
        known = (classes >= 0) & (classes < listed)
        numbers = head.numbers[np.where(known, classes, 0)]
        numbers[~known] = 0
        strange: Sequence[int] = sorted(set(np.unique(classes[~known]).tolist()) - head.ignored)
        if strange:
            told = ", ".join(map(str, strange[:_MOST_TOLD])) + ", ..." * (len(strange) > _MOST_TOLD)
            raise DataFormatError(
                f"{self.network.path.name} gives {told} in {head.found.output!r} for {called}, and "
                f"{head.listed.path.name} names the classes 0 to {listed - 1}",
                hint=f"ignore={strange[0]} leaves such pixels unlabelled; else name the class",
            )
        return numbers

    def _check_chances(self, head: Head, scores: NDArray[np.float32], called: str) -> None:
        lowest, highest = float(scores.min()), float(scores.max())
        # rounding to half precision moves 1 by a thousandth
        if lowest < -0.01 or highest > 1.01:
            raise DataFormatError(
                f"{self.network.path.name} gives scores of {lowest:g} to {highest:g} in "
                f"{head.found.output!r} for {called}, which are no probabilities",
                hint="scores=logits makes probabilities of them by a softmax",
            )


def open_labeller(spec: SegmenterSpec, lists: Sequence[ClassList], default_size: tuple[int, int]) -> Labeller:
    """Read a segmenter, and find its outputs.

    Parameters
    ----------
    spec : SegmenterSpec
    lists : sequence of ClassList
        Of each head.
    default_size : (int, int)
        (height, width) for a network that takes images of any size, where no size is asked for.

    Returns
    -------
    Labeller

    Raises
    ------
    ModelError
        If the network cannot be read or run.
    ParameterError
        If it is no segmenter, or what is asked of it does not fit.
    """
    try:
        network = load_network(
            spec.model, image_size=spec.size, default_size=default_size, layouts=dict(spec.layout)
        )
        preprocessing = choose_preprocessing(network, **spec.preprocessing())
    except OnnxDissectError as error:
        raise _of_segmenter(error, spec) from error
    return Labeller(spec, network, find_heads(spec, network, lists), preprocessing)


def _of_segmenter(error: OnnxDissectError, spec: SegmenterSpec) -> OnnxDissectError:
    """Say of which network an error is, and its hint as it is typed here: those of a run are options."""
    name = spec.model.name
    message = error.message if name in error.message else f"the segmenter {name}: {error.message}"
    hint = error.hint and _OPTION.sub(lambda match: f"{_ARGUMENTS.get(match[1], match[1])}=", error.hint)
    if hint and _NOT_HERE.search(hint):
        hint = "export it with the image as its only input, and operators that onnxruntime has"
    return type(error)(message, candidates=error.candidates, hint=hint)


def _load(network: Network, provider: str, reason: str) -> Runtime:
    # a thread for each worker of the pass, so that no sum depends on how many cores there are
    return load_graph(
        network.model, provider, folder=network.path.parent, optimise="all", threads=1, spin=False
    ).unlimited()
