"""Batches: order, contents, look-ahead, errors and the end of the threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.datasets import random_broden, write_broden

from onnxdissect.data import Batch, Dataset, batches, open_dataset
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.data.decoding.stream import Prepare, pending_batches
from onnxdissect.errors import ImageFileError, ParameterError

PICTURES = 23
SHAPE = (3, 24, 24)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    broden = random_broden(7, pictures=PICTURES, grids=[(12, 12), (9, 11)])
    return open_dataset(write_broden(tmp_path_factory.mktemp("stream") / "d", broden))


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    left = [t.name for t in threading.enumerate() if t.name.startswith("onnxdissect-data")]
    assert left == []


def prepare(image: NDArray[np.uint8], out: NDArray[Any]) -> None:
    out[...] = image.transpose(2, 0, 1)


def stream(
    dataset: Dataset, prepare: Prepare = prepare, *, batch_size: int = 4, workers: int = 2, **span: int
) -> Iterator[Batch]:
    return batches(
        dataset, prepare, shape=SHAPE, dtype=np.float32, batch_size=batch_size, workers=workers, **span
    )


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batch_size=st.integers(1, 30),
    workers=st.integers(1, 5),
    span=st.tuples(st.integers(0, PICTURES), st.integers(0, PICTURES)).map(sorted),
)
def test_every_image_once_and_in_order(
    dataset: Dataset, batch_size: int, workers: int, span: list[int]
) -> None:
    start, stop = span
    found = list(stream(dataset, batch_size=batch_size, workers=workers, start=start, stop=stop))
    assert [b.start for b in found] == list(range(start, stop, batch_size))
    assert [len(b.annotations) for b in found] == [len(b.inputs) for b in found]
    assert all(len(b.inputs) == batch_size for b in found[:-1])
    assert sum(len(b.inputs) for b in found) == stop - start
    for batch in found:
        assert batch.inputs.dtype == np.float32
        assert batch.inputs.flags.c_contiguous
        for offset, annotation in enumerate(batch.annotations):
            i = batch.start + offset
            np.testing.assert_array_equal(batch.inputs[offset], dataset.read_image(i).transpose(2, 0, 1))
            expected = dataset.read_annotation(i)
            np.testing.assert_array_equal(annotation.planes, expected.planes)
            np.testing.assert_array_equal(annotation.image_labels, expected.image_labels)


def test_to_the_end_by_default(dataset: Dataset) -> None:
    assert sum(len(b.annotations) for b in stream(dataset, start=20)) == PICTURES - 20
    assert list(stream(dataset, start=PICTURES)) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_size": 0}, "batch size must be 1 or more, not 0"),
        ({"workers": 0}, "workers must be 1 or more, not 0"),
        ({"start": -1}, "images -1 to 23 were asked for; there are 23"),
        ({"stop": 24}, "images 0 to 24"),
        ({"start": 5, "stop": 4}, "images 5 to 4"),
    ],
)
def test_numbers_out_of_range(dataset: Dataset, wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        stream(dataset, prepare, **wrong)  # before the first batch is asked for
    if "workers" not in wrong:
        with pytest.raises(ParameterError, match=message):
            pending_batches(dataset, prepare, shape=SHAPE, dtype=np.float32, **{"batch_size": 4, **wrong})


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("what", ["photograph", "label map"])
def test_earliest_bad_file_is_the_error(tmp_path: Path, workers: int, what: str) -> None:
    dataset = open_dataset(write_broden(tmp_path / "d", random_broden(7, pictures=16)))
    bad = [i for i in range(5, 16) if dataset.entries[i].maps][:2]
    for i in bad:
        path = dataset.entries[i].image if what == "photograph" else dataset.entries[i].maps[0]
        (dataset.folder / "images" / path).write_bytes(b"")
    seen: list[int] = []
    with pytest.raises(ImageFileError, match=f"line {bad[0] + 2}.* is an empty file"):
        seen.extend(batch.start for batch in stream(dataset, workers=workers, batch_size=3))
    assert seen == list(range(0, bad[0] - bad[0] % 3, 3))


def test_errors_of_the_preparation_come_as_they_are(dataset: Dataset) -> None:
    error = ArithmeticError("of our own")

    def refuse(image: NDArray[np.uint8], out: NDArray[Any]) -> None:
        raise error

    with pytest.raises(ArithmeticError) as caught:
        next(stream(dataset, prepare=refuse))
    assert caught.value is error


def test_look_ahead_is_bounded(dataset: Dataset) -> None:
    prepared: list[int] = []

    def note(image: NDArray[np.uint8], out: NDArray[Any]) -> None:
        prepared.append(1)

    running = stream(dataset, prepare=note, batch_size=2, workers=2)
    next(running)
    deadline = time.monotonic() + 5
    while len(prepared) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(prepared) == 2 + 4  # the batch handed over and two more
    running.close()  # type: ignore[attr-defined]


def test_batches_handed_over_stay_as_they_are(dataset: Dataset) -> None:
    running = stream(dataset)
    first = next(running)
    before = first.inputs.copy()
    for _ in running:
        pass
    np.testing.assert_array_equal(first.inputs, before)


def test_memory_that_is_given_back_is_used_again(dataset: Dataset) -> None:
    held: list[tuple[Batch, NDArray[Any]]] = []
    memory = set()
    for number, batch in enumerate(stream(dataset, batch_size=2)):
        expected = [dataset.read_image(batch.start + i).transpose(2, 0, 1) for i in range(len(batch.inputs))]
        np.testing.assert_array_equal(batch.inputs, np.array(expected))
        memory.add(batch.inputs.ctypes.data)
        if number == 3:
            held.append((batch, batch.inputs.copy()))
        else:
            batch.release()
    # Three are in the making or just handed over at a time, and one was kept.
    assert len(memory) <= 5
    ((batch, before),) = held
    np.testing.assert_array_equal(batch.inputs, before)


@pytest.mark.parametrize(("batch_size", "workers"), [(8, 1), (8, 2), (7, 2), (5, 3), (1, 4)])
def test_pieces_of_batches(dataset: Dataset, batch_size: int, workers: int) -> None:
    found = list(stream(dataset, batch_size=batch_size, workers=workers))
    assert [len(batch.inputs) for batch in found] == [
        min(batch_size, PICTURES - start) for start in range(0, PICTURES, batch_size)
    ]
    for batch in found:
        for offset in range(len(batch.inputs)):
            expected = dataset.read_image(batch.start + offset).transpose(2, 0, 1)
            np.testing.assert_array_equal(batch.inputs[offset], expected)


@pytest.mark.parametrize("batch_size", [1, 4, 30])
@pytest.mark.parametrize("span", [(0, PICTURES), (5, 14), (9, 9)])
def test_batches_decoded_by_their_users_are_the_same(
    dataset: Dataset, batch_size: int, span: tuple[int, int]
) -> None:
    start, stop = span
    expected = list(stream(dataset, batch_size=batch_size, start=start, stop=stop))
    pending = list(
        pending_batches(
            dataset, prepare, shape=SHAPE, dtype=np.float32, batch_size=batch_size, start=start, stop=stop
        )
    )
    # All at once, and the last one first.
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: batch.read(), reversed(pending)))[::-1]
    assert [batch.start for batch in found] == [batch.start for batch in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.inputs, other.inputs)
        assert one.inputs.dtype == other.inputs.dtype
        assert len(one.annotations) == len(other.annotations)
        for mine, theirs in zip(one.annotations, other.annotations, strict=True):
            np.testing.assert_array_equal(mine.planes, theirs.planes)
            np.testing.assert_array_equal(mine.image_labels, theirs.image_labels)


def test_users_of_batches_use_memory_again(dataset: Dataset) -> None:
    pending = pending_batches(dataset, prepare, shape=SHAPE, dtype=np.float32, batch_size=4)
    kept = next(pending).read()
    before = kept.inputs.copy()
    memory = set()
    for later in pending:
        batch = later.read()
        np.testing.assert_array_equal(batch.inputs[0], dataset.read_image(batch.start).transpose(2, 0, 1))
        memory.add(batch.inputs.ctypes.data)
        batch.release()
    assert len(memory) == 1
    np.testing.assert_array_equal(kept.inputs, before)


def slow(item: int) -> int:
    time.sleep(0.05)
    return item


@pytest.mark.parametrize("ending", ["close", "throw", "drop"])
def test_what_is_not_begun_is_dropped(ending: str) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return slow(item)

    running = ahead(work, range(1000), workers=2, depth=200)
    assert next(running) == 0
    started = time.monotonic()
    if ending == "close":
        running.close()
    elif ending == "throw":
        with pytest.raises(KeyboardInterrupt):
            running.throw(KeyboardInterrupt)
    else:
        del running
    assert time.monotonic() - started < 2  # of the ten seconds that all of them would take
    assert len(begun) < 50


def test_an_error_drops_what_is_not_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 3:
            raise ValueError(item)
        return slow(item)

    results: list[int] = []
    with pytest.raises(ValueError, match="3"):
        results.extend(ahead(work, range(1000), workers=2, depth=200))
    assert results == [0, 1, 2]
    assert len(begun) < 50


def test_workers_run_side_by_side() -> None:
    barrier = threading.Barrier(3)

    def meet(item: int) -> int:
        barrier.wait(timeout=10)  # breaks unless three are here at once
        return item

    assert list(ahead(meet, range(9), workers=3, depth=3)) == list(range(9))


def test_nothing_to_do() -> None:
    assert list(ahead(slow, [], workers=2, depth=4)) == []
