"""Packing a data set: a Broden folder becomes one file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from onnxdissect.data.broden.files import INDEX, called
from onnxdissect.data.broden.reader import BrodenDataset
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.data.decoding.pixels import decode_image, read_file
from onnxdissect.data.groups import NO_GROUPS
from onnxdissect.data.limits import MOST_TABLE_BYTES, MOST_TABLES_BYTES
from onnxdissect.data.links import link_hint
from onnxdissect.data.packed.layout import (
    PREAMBLE,
    RECORD,
    Header,
    Section,
    name_problem,
    preamble,
    write_header,
)
from onnxdissect.data.packed.opening import EXTRAS, open_packed, read_contents
from onnxdissect.data.packed.runs import encode_planes
from onnxdissect.data.sources import Advance
from onnxdissect.errors import DataFormatError, ImageFileError, OutputError, ParameterError, shown_path
from onnxdissect.storage.disk import file_system, size_text
from onnxdissect.storage.files import make_folder, replacing
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.regular_files import read_regular_file, regular_size

__all__ = ["PackedFacts", "pack_dataset"]

_LEVEL = 6  # of compression, named since the default may change


@dataclass(frozen=True, slots=True)
class PackedFacts:
    """What was packed.

    Attributes
    ----------
    path : Path
        The file.
    images : int
    file_bytes : int
        Size of the file.
    image_bytes : int
        Of it, images.
    label_bytes : int
        Of it, annotations.
    label_map_bytes : int
        What the label maps took as files.
    """

    path: Path
    images: int
    file_bytes: int
    image_bytes: int
    label_bytes: int
    label_map_bytes: int


@dataclass(frozen=True, slots=True)
class _Packed:
    """An image ready to be written."""

    image: bytes
    planes: bytes
    map_sizes: tuple[int, ...]


@dataclass(slots=True)
class _Body:
    """The body of a file that is being written."""

    file: BinaryIO
    end: int = PREAMBLE.size
    digest: hashlib.blake2b = field(default_factory=partial(hashlib.blake2b, digest_size=32))

    def add(self, content: bytes) -> tuple[int, int, int]:
        """Write something; where it lies, and its checksum."""
        lies = (self.end, len(content), zlib.crc32(content))
        self.file.write(content)
        self.digest.update(content)
        self.end += len(content)
        return lies


@explained_memory()
def pack_dataset(
    dataset: BrodenDataset, path: str | Path, *, workers: int = 2, progress: Advance | None = None
) -> PackedFacts:
    """Pack a Broden folder into one file. Every image and label map is decoded on the way.

    Parameters
    ----------
    dataset : BrodenDataset
        A whole folder, not a subset of its images.
    path : str or Path
        The file; there is none yet. It appears when it is whole. The same folder gives the same bytes.
    workers : int
        Threads.
    progress : callable, optional
        Called with (images done, images).

    Returns
    -------
    PackedFacts

    Raises
    ------
    OutputError
        If there is such a file, it would lie inside the folder, or cannot be written.
    ImageFileError, DataFormatError
        Whatever is wrong with an image or a label map, that of the earliest image first; or if the folder was
        changed in the meantime.
    ParameterError
        If a number is out of range, or the data set is a part of its folder.
    """
    target = Path(path)
    if workers < 1:
        raise ParameterError(f"the number of workers must be 1 or more, not {workers}")
    problem = name_problem(dataset.name)
    if problem:
        raise ParameterError(
            f"{shown_path(dataset.folder)} cannot be packed, as the data set is called after its folder: "
            f"{problem}",
            hint="rename the folder",
        )
    _check_target(dataset, target)
    fingerprint = dataset.fingerprint
    contents = _read_tables(dataset)
    _check_whole(dataset, contents)
    make_folder(target.parent)
    _check_room(dataset, target)
    with replacing(target) as file:
        facts = _write(dataset, file, contents, _Work(target, workers, progress))
        _check_unchanged(dataset, Path(file.name), fingerprint)
        _check_target(dataset, target)
    return facts


@dataclass(frozen=True, slots=True)
class _Work:
    target: Path
    workers: int
    told: Advance | None


def _write(dataset: BrodenDataset, file: BinaryIO, contents: Mapping[str, bytes], work: _Work) -> PackedFacts:
    records = np.zeros(len(dataset), RECORD)
    sizes: list[int] = []
    written: dict[str, tuple[int, int, int]] = {}
    file.write(bytes(PREAMBLE.size))
    body = _Body(file)
    with contextlib.closing(_packed(dataset, work.workers)) as images:
        for i, packed in enumerate(images):
            name = dataset.entries[i].image
            if name not in written:
                written[name] = body.add(packed.image)
            records[i] = (*written[name], *body.add(packed.planes))
            sizes += packed.map_sizes
            if work.told is not None:
                work.told(i + 1, len(dataset))
    after = _Body(file, body.end)
    header = write_header(
        Header(
            name=dataset.name,
            end=body.end,
            digest=body.digest.hexdigest(),
            tables={name: _section(after, content) for name, content in contents.items()},
            records=_section(after, records.tobytes()),
            map_sizes=_section(after, np.array(sizes, "<u4").tobytes()),
        )
    )
    file.write(header)
    file.seek(0)
    file.write(preamble(after.end, header))
    file.flush()
    return PackedFacts(
        path=work.target,
        images=len(dataset),
        file_bytes=after.end + len(header),
        image_bytes=sum(count for _, count, _ in written.values()),
        label_bytes=int(records["planes_bytes"].sum(dtype=np.int64)),
        label_map_bytes=sum(sizes),
    )


def _packed(dataset: BrodenDataset, workers: int) -> Generator[_Packed, None, None]:
    # Annotations are decoded by kernels where they are loaded, and much slower where they are not.
    import onnxdissect.data.decoding.label_kernels
    import onnxdissect.data.packed.run_kernels  # noqa: F401 - in this thread, before others ask for it

    return ahead(partial(_pack_image, dataset), range(len(dataset)), workers=workers, depth=16 * workers)


def _pack_image(dataset: BrodenDataset, i: int) -> _Packed:
    entry = dataset.entries[i]
    image_called = called(entry, entry.image, dataset.index)
    image = read_file(dataset.image_path(i), image_called, dataset.inside)
    decode_image(image, image_called)
    planes = encode_planes(dataset.read_annotation(i).planes)
    images = f"{dataset.folder}/images/"
    try:
        sizes = tuple(regular_size(images + path, dataset.inside) for path in entry.maps)
    except OSError as error:
        raise ImageFileError(
            f"a label map of {image_called} cannot be read: {error.strerror or error}"
        ) from error
    return _Packed(image, planes, sizes)


def _section(body: _Body, content: bytes) -> Section:
    offset, stored, checksum = body.add(zlib.compress(content, _LEVEL))
    return Section(offset, stored, len(content), checksum)


def _read_tables(dataset: BrodenDataset) -> dict[str, bytes]:
    """Read the tables of a folder as they are, in the order in which they are stored."""
    listings = (f"c_{category}.csv" for category in dataset.vocabulary.categories)
    contents: dict[str, bytes] = {}
    for name in ("category.csv", "label.csv", INDEX, *listings, *EXTRAS):
        path = dataset.folder / (dataset.index if name == INDEX else name)
        try:
            contents[name] = read_regular_file(path, MOST_TABLE_BYTES, inside=dataset.inside)
        except FileNotFoundError:
            continue  # those that have to be there were read when the data set was opened
        except OSError as error:
            raise DataFormatError(
                f"cannot read {shown_path(path)}: {error.strerror or error}",
                hint=link_hint(error, dataset.inside),
            ) from error
    together = sum(map(len, contents.values()))
    if together > MOST_TABLES_BYTES:
        raise DataFormatError(
            f"the tables of {shown_path(dataset.folder)} have {together:,} bytes; at most "
            f"{MOST_TABLES_BYTES:,} are packed"
        )
    return contents


def _check_target(dataset: BrodenDataset, target: Path) -> None:
    if os.path.lexists(target):
        raise OutputError(
            f"{shown_path(target)} is there already, and is not written over",
            hint="name another file, or remove this one",
        )
    folder = os.path.realpath(dataset.folder)
    if Path(os.path.realpath(target)).is_relative_to(folder):
        raise OutputError(
            f"{shown_path(target)} lies inside the data set {shown_path(dataset.folder)}",
            hint=f"a file beside it, such as {shown_path(Path(folder).parent / (target.name or 'packed'))}",
        )


def _check_whole(dataset: BrodenDataset, contents: Mapping[str, bytes]) -> None:
    index = read_contents(str(dataset.folder), contents, dataset.grouped_by or NO_GROUPS)
    if index.tables != dataset.tables:
        raise _changed(dataset)
    if len(index.entries) != len(dataset):
        raise ParameterError(
            f"a folder is packed as a whole: here are {len(dataset)} images, and its index lists "
            f"{len(index.entries)}",
            hint="--split and --limit choose among the images of a packed file too",
        )


def _check_room(dataset: BrodenDataset, target: Path) -> None:
    """Refuse a disk that has no room for the images, before an hour is spent on it."""
    paths = {dataset.image_path(i) for i in range(len(dataset))}
    needed = 0
    with contextlib.suppress(OSError):  # told image by image
        needed = sum(regular_size(str(path), dataset.inside) for path in paths)
    mount, free = file_system(target.parent)
    if free is not None and needed > free:
        raise OutputError(
            f"cannot write {shown_path(target)}: its images take {size_text(needed)}, and on the file system "
            f"{mount} {size_text(free)} are free",
            hint=f"make room on {mount}, or name a file on another disk",
        )


def _check_unchanged(dataset: BrodenDataset, written: Path, fingerprint: str) -> None:
    if open_packed(written, groups=dataset.grouped_by or NO_GROUPS).fingerprint != fingerprint:
        raise _changed(dataset)


def _changed(dataset: BrodenDataset) -> DataFormatError:
    return DataFormatError(
        f"{shown_path(dataset.folder)} was changed while it was packed",
        hint="the same command again, once nobody writes to it",
    )
