"""A data set as a folder of files and packed into one, read side by side in one thread.

    python benchmarks/packed.py [DATA ...] [--images N] [--rounds N]

DATA is a folder in the Broden layout, or tiny, which is the default. Each is packed into a temporary file.
Microseconds an image, medians over the rounds; each round reads from both in turn, so that what else goes on
on the machine hits both. Files lie in the system's cache: a disk makes the folder slower, not the file.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from onnxdissect.data import BrodenDataset, PackedDataset, open_data, open_packed, pack_dataset

Opened = BrodenDataset | PackedDataset

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("data", nargs="*", default=["tiny"])
parser.add_argument("--images", type=int, default=500)
parser.add_argument("--rounds", type=int, default=9)


def read_labels(dataset: Opened, i: int) -> object:
    return dataset.read_annotation(i)


def read_image(dataset: Opened, i: int) -> object:
    return dataset.read_image(i)


def read_both(dataset: Opened, i: int) -> object:
    return dataset.read_image(i), dataset.read_annotation(i)


STEPS: dict[str, Callable[[Opened, int], object]] = {
    "labels": read_labels,
    "images": read_image,
    "both": read_both,
}


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def over_all(dataset: Opened, step: Callable[[Opened, int], object]) -> float:
    def all_images() -> None:
        for i in range(len(dataset)):
            step(dataset, i)

    return seconds(all_images) / len(dataset)


def measure(data: str, images: int, rounds: int) -> None:
    dataset = open_data(data)
    if not isinstance(dataset, BrodenDataset):
        raise SystemExit(f"{data} is no folder in the Broden layout")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "packed"
        facts = pack_dataset(dataset, path)
        packed = open_packed(path, groups=dataset.grouped_by)
        print(
            f"{data}: {facts.images} images, labels {facts.label_map_bytes / 2**20:.1f} MiB as files, "
            f"{facts.label_bytes / 2**20:.1f} MiB packed"
        )
        opening = [
            (seconds(lambda: open_data(data)), seconds(lambda: open_packed(path, groups=dataset.grouped_by)))
            for _ in range(3)
        ]
        row("opening", [(folder / len(dataset), file / len(dataset)) for folder, file in opening])
        both = dataset.subset(limit=images), packed.subset(limit=images)
        for name, step in STEPS.items():
            over_all(both[0], step), over_all(both[1], step)  # kernels are loaded, files are in the cache
            row(name, [(over_all(both[0], step), over_all(both[1], step)) for _ in range(rounds)])


def row(name: str, found: list[tuple[float, float]]) -> None:
    folder, file = (statistics.median(column) * 1e6 for column in zip(*found, strict=True))
    ratios = [before / after for before, after in found]
    print(
        f"  {name:8s} folder {folder:8.1f} us   packed {file:8.1f} us   "
        f"{statistics.median(ratios):5.2f} times ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )


def main() -> None:
    given = parser.parse_args()
    # as in a run, which has loaded the compiler before it reads the first image
    import onnxdissect.data.packed.run_kernels  # noqa: F401

    for data in given.data:
        measure(data, given.images, given.rounds)


if __name__ == "__main__":
    main()
