"""Every error a user can cause, as one hierarchy.

::

    OnnxDissectError
    ├── ParameterError            a parameter outside its range, or two that contradict each other
    ├── BasisFileError            a file that a basis is read from is missing, damaged or no such file
    ├── ResultFileError           a file of published results is missing, malformed, or contradicts itself
    ├── InstallationError         a library is missing, broken or installed twice
    ├── OutOfMemoryError          there is less memory than was asked for
    ├── ClusterError              a scheduler cannot be reached, or workers cannot do what is asked of them
    ├── ModelError
    │   ├── ModelNotFoundError    no file at the path
    │   ├── ModelFormatError      the file is not a readable ONNX model
    │   ├── ModelRuntimeError     onnxruntime cannot load or run it
    │   │   └── ModelTimeoutError it had not ended when its time was over
    │   ├── ImageInputError       no input that an image fits
    │   ├── LayerNotFoundError    a selector matches no layer
    │   ├── LayerLayoutError      the value exists but has no units to dissect
    │   ├── LayerCutError         a path from the image to an output avoids the layers
    │   ├── ProviderError         the execution provider asked for is not available
    │   └── NonFiniteError        a layer produced NaN or infinity
    ├── DataError
    │   ├── DataNotFoundError     no folder, or not a Broden folder
    │   ├── DataFormatError       a table of the data set is malformed
    │   ├── DownloadError         a data set cannot be fetched, or what was fetched is refused
    │   ├── ImageFileError        an image or label file is missing, damaged or of the wrong size
    │   └── EmptyDataError        nothing is left to dissect with
    └── RunError
        ├── RunNotFoundError      no run directory at the path
        ├── RunIncompleteError    the run was not finished
        ├── RunFormatError        written by another format version, or damaged
        ├── RunMismatchError      a run, or a part of one, is of other inputs, or of others than another
        ├── MasksNotKeptError     the run does not keep the mask that was asked for
        ├── NotPublishedError     the run was imported, and what it was imported from does not tell that
        ├── ImagesMissingError    parts of a pass together lack images
        ├── ImagesOverlapError    parts of a pass that are to be merged hold the same images
        └── OutputError           the output folder cannot be written, or holds files of others

The message of each says what was asked and what was found. Where there are any, `candidates` are what could
have been asked for instead, and `hint` is the next thing to type. Models and data sets may hold any number of
names of any length: what is said of them stays short.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "BasisFileError",
    "ClusterError",
    "DataError",
    "DataFormatError",
    "DataNotFoundError",
    "DownloadError",
    "EmptyDataError",
    "ImageFileError",
    "ImageInputError",
    "ImagesMissingError",
    "ImagesOverlapError",
    "InstallationError",
    "LayerCutError",
    "LayerLayoutError",
    "LayerNotFoundError",
    "MasksNotKeptError",
    "ModelError",
    "ModelFormatError",
    "ModelNotFoundError",
    "ModelRuntimeError",
    "ModelTimeoutError",
    "NonFiniteError",
    "NotPublishedError",
    "OnnxDissectError",
    "OutOfMemoryError",
    "OutputError",
    "ParameterError",
    "ProviderError",
    "ResultFileError",
    "RunError",
    "RunFormatError",
    "RunIncompleteError",
    "RunMismatchError",
    "RunNotFoundError",
    "listed",
    "nearest",
    "shortened",
    "shown",
    "shown_path",
]


class OnnxDissectError(Exception):
    """Base of every error a user can cause.

    Parameters
    ----------
    message : str
        What was asked and what was found, in one sentence; the middle of a very long one is left out.
    candidates : sequence of str, optional
        What could have been asked for instead, best first.
    hint : str, optional
        The next thing to type or to do.
    """

    def __init__(self, message: str, *, candidates: Sequence[str] = (), hint: str | None = None) -> None:
        message = shortened(message)
        super().__init__(message)
        self.message = message
        self.candidates = tuple(candidates)
        self.hint = None if hint is None else shortened(hint, _LONGEST_HINT)

    def __str__(self) -> str:
        lines = [self.message]
        if self.candidates:
            lines.append("candidates: " + listed(self.candidates))
        if self.hint:
            lines.append("hint: " + self.hint)
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only fields would be lost on the way between processes
        return (_rebuild, (type(self), self.message, self.candidates, self.hint))


def _rebuild(
    kind: type[OnnxDissectError], message: str, candidates: Sequence[str], hint: str | None
) -> OnnxDissectError:
    return kind(message, candidates=candidates, hint=hint)


class ParameterError(OnnxDissectError):
    """A parameter is outside its range, or contradicts another."""


class BasisFileError(OnnxDissectError):
    """A file that a basis is read from is missing, damaged, or holds no matrix."""


class ResultFileError(OnnxDissectError):
    """A file of published results is missing, malformed, or contradicts itself."""


class InstallationError(OnnxDissectError):
    """A library is missing, broken or installed twice."""


class OutOfMemoryError(OnnxDissectError):
    """There is less memory than was asked for."""


class ModelError(OnnxDissectError):
    """Something is wrong with the model or with what was asked of it."""


class ModelNotFoundError(ModelError):
    """There is no file at the model's path."""


class ModelFormatError(ModelError):
    """The file is not a readable ONNX model."""


class ModelRuntimeError(ModelError):
    """onnxruntime cannot load or run the model."""


class ModelTimeoutError(ModelRuntimeError):
    """The network had not ended when the time was over that it was given for being looked at."""


class ImageInputError(ModelError):
    """The model has no input that an image fits."""


class LayerNotFoundError(ModelError):
    """A selector matches no layer."""


class LayerLayoutError(ModelError):
    """The value exists, but has no units that can be dissected."""


class LayerCutError(ModelError):
    """A path from the image to an output avoids the layers that a network is to be split at."""


class ProviderError(ModelError):
    """The execution provider asked for is not available here."""


class NonFiniteError(ModelError):
    """A layer produced NaN or infinity."""


class DataError(OnnxDissectError):
    """Something is wrong with the data set."""


class DataNotFoundError(DataError):
    """There is no data set at the path."""


class DataFormatError(DataError):
    """A table of the data set is malformed."""


class DownloadError(DataError):
    """A data set cannot be fetched, or what was fetched is refused."""


class ImageFileError(DataError):
    """An image or label file is missing, damaged or of the wrong size."""


class EmptyDataError(DataError):
    """No image is left to dissect with."""


class RunError(OnnxDissectError):
    """Something is wrong with a run directory."""


class RunNotFoundError(RunError):
    """There is no run directory at the path."""


class RunIncompleteError(RunError):
    """The run was not finished, so it holds no result."""


class RunFormatError(RunError):
    """The run was written by another format version, or is damaged."""


class RunMismatchError(RunError):
    """A directory holds a run of other inputs, or runs or parts of one do not go together."""


class MasksNotKeptError(RunError):
    """The run does not keep the mask that was asked for."""


class NotPublishedError(RunError):
    """The run was imported from published results, and they do not tell what was asked for."""


class ImagesMissingError(RunError):
    """Parts of a pass that are all there is lack images."""


class ImagesOverlapError(RunError):
    """Parts of a pass that are to be merged hold the same images."""


class ClusterError(OnnxDissectError):
    """A scheduler cannot be reached, or its workers cannot do what is asked of them."""


class OutputError(RunError):
    """The output folder cannot be written, or holds files that this package did not write."""


# The last stands for the middle of a message.
_LONGEST_MESSAGE, _LONGEST_HINT, _LONGEST_GAP = 3000, 1000, 50
# So many candidates are listed, as long as they fit in so many characters.
_MOST_LISTED, _LONGEST_LIST = 20, 2000
# Comparing two longer names letter by letter takes the product of their lengths.
_LONGEST_PATH = 400
_BREAKS = frozenset("\n\r")
_LONGEST_COMPARED = 200


def shown(text: str, most: int = 80) -> str:
    """Quote a text that somebody else wrote, for a message.

    Parameters
    ----------
    text : str
        Of any length.
    most : int
        So many of its characters are shown.

    Returns
    -------
    str
        In quotes, with what cannot be printed as escapes; of a longer one the beginning, and how long it is.
    """
    return repr(text) if len(text) <= most else f"{text[:most]!r}... ({len(text):,} characters)"


def shortened(text: str, most: int = _LONGEST_MESSAGE) -> str:
    """Leave the middle out of a text that is longer than anybody reads.

    Parameters
    ----------
    text : str
    most : int
        It is left as it is up to so many characters.

    Returns
    -------
    str
        At most so long, with how many characters were left out.
    """
    if len(text) <= most:
        return text
    kept, end = most - _LONGEST_GAP, (most - _LONGEST_GAP) // 4
    return f"{text[: kept - end]} ... ({len(text) - kept:,} characters) ... {text[-end:]}"


def listed(candidates: Sequence[str]) -> str:
    """List what could have been asked for, for a message.

    Parameters
    ----------
    candidates : sequence of str
        Best first, of any number and length.

    Returns
    -------
    str
        Up to 20 of them, and how many there are beside.
    """
    told = [shown_path(name) for name in candidates[:_MOST_LISTED]]
    while sum(map(len, told[:-1])) > _LONGEST_LIST:
        told.pop()
    return ", ".join(told) + (f" and {left:,} more" if (left := len(candidates) - len(told)) else "")


def shown_path(path: object) -> str:
    """Name a file in a message: as it is, unless it breaks lines or is longer than names of files are.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str
    """
    text = str(path)
    # a line that is broken would look like two messages
    return text if len(text) <= _LONGEST_PATH and not _BREAKS & set(text) else shown(text, _LONGEST_PATH)


def nearest(name: str, known: Iterable[str], count: int = 5) -> tuple[str, ...]:
    """Names most like the one asked for.

    Parameters
    ----------
    name : str
        What was asked for.
    known : iterable of str
        What there is.
    count : int
        At most so many are returned.

    Returns
    -------
    tuple of str
        Best first. Case is ignored, and names that contain the one asked for count as similar. There are
        none to a name of more than 200 characters, and no such name is like another.
    """
    if len(name) > _LONGEST_COMPARED:
        return ()
    names = list(dict.fromkeys(one for one in known if len(one) <= _LONGEST_COMPARED))
    lowered = name.lower()
    containing = [n for n in names if lowered and lowered in n.lower()]
    by_lower = {n.lower(): n for n in reversed(names)}
    similar = [by_lower[n] for n in difflib.get_close_matches(lowered, by_lower, n=count, cutoff=0.4)]
    return tuple(dict.fromkeys(similar + containing))[:count]
