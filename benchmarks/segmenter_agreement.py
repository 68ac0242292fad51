"""How far labels of a segmenter agree with hand labels: pixel by pixel, and in what units are called.

    python benchmarks/segmenter_agreement.py MODEL DATA SEGMENTER --classes FILE [--with ARGUMENTS]
        [--same HAND=MACHINE]... [--layer SEL]... [--all-images] [--limit N] [preprocessing options]

DATA is a folder in the Broden layout, labelled by hand. The same photographs are labelled by SEGMENTER, an
ONNX file; ARGUMENTS are further ones of its SPEC, such as ``ignore=0&confidence=0.5``. Concepts of one name,
lower-case and without blanks, are the same; ``--same`` adds pairs. What only one side knows is left out.

Hand labels are rarely complete: a set of clothes has no label for the person in them. So only photographs
count that lie in a folder, the first of their path, in which somebody has labelled a shared concept at all;
and a concept's pixels are compared in the folders that have it. ``--all-images`` takes all.

MODEL is dissected twice with the shared concepts, once with the labels of each side.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import onnxdissect
from onnxdissect.data import Annotation, BrodenDataset, Vocabulary, annotate, make_vocabulary, open_dataset
from onnxdissect.segmenter.dataset import open_dataset as open_segmenter
from onnxdissect.segmenter.labeller import Labeller
from onnxdissect.segmenter.percent_coding import encoded
from onnxdissect.segmenter.spec import parse_spec

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", type=Path)
parser.add_argument("data", type=Path, help="a folder in the Broden layout")
parser.add_argument("segmenter", type=Path)
parser.add_argument("--classes", required=True, help="the list of its classes")
parser.add_argument("--with", dest="query", default="", help="further arguments of its SPEC")
parser.add_argument("--same", action="append", default=[], metavar="HAND=MACHINE")
parser.add_argument("--layer", action="append")
parser.add_argument("--all-images", action="store_true")
parser.add_argument("--limit", type=int)
parser.add_argument("--quantile", type=float, default=0.005)
parser.add_argument("--mean", type=float, nargs="+")
parser.add_argument("--std", type=float, nargs="+")
parser.add_argument("--scale", type=float)
parser.add_argument("--preset")


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Photographs of a data set with labels of our own, as a data set."""

    base: BrodenDataset
    chosen: tuple[int, ...]
    name: str
    vocabulary: Vocabulary
    annotations: Sequence[Annotation] = field(repr=False)
    source: Mapping[str, str] = field(default_factory=dict)
    grouped_by: str | None = None

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def fingerprint(self) -> str:
        return f"{self.name} {self.base.fingerprint} {self.chosen}"

    @property
    def image_size(self) -> tuple[int, int]:
        return self.base.image_size

    def image_name(self, i: int) -> str:
        return self.base.image_name(self.chosen[i])

    def split(self, i: int) -> str:
        return self.base.split(self.chosen[i])

    def grid(self, i: int) -> tuple[int, int]:
        return self.base.grid(self.chosen[i])

    def groups(self) -> None:
        return None

    def read_image(self, i: int) -> NDArray[np.uint8]:
        return self.base.read_image(self.chosen[i])

    def read_annotation(self, i: int) -> Annotation:
        return self.annotations[i]

    def subset(self, *, split: str | None = None, limit: int | None = None) -> Labelled:
        del split
        return replace(self, chosen=self.chosen[:limit], annotations=self.annotations[:limit])


@dataclass(frozen=True)
class Shared:
    """Concepts that both sides know, numbered from 1."""

    names: tuple[str, ...]
    of_hand: NDArray[np.uint16]
    of_machine: NDArray[np.uint16]


def plain(name: str) -> str:
    return "".join(name.lower().split())


def find_shared(hand: Vocabulary, machine: Vocabulary, same: Sequence[str]) -> Shared:
    known = {plain(one.name): one for one in machine.concepts}
    pairs = dict(tuple(map(plain, text.split("=", 1))) for text in same)
    strangers = [two for two in pairs.values() if two not in known]
    if strangers:
        raise SystemExit(f"--same: the segmenter has no class {strangers[0]!r}, only {', '.join(known)}")
    names: list[str] = []
    of_hand = np.zeros(len(hand.concepts) + 1, np.uint16)
    of_machine = np.zeros(len(machine.concepts) + 1, np.uint16)
    for one in hand.concepts:
        called = pairs.get(plain(one.name), plain(one.name))
        if one.category != "object" or called not in known:
            continue
        if called not in names:
            names.append(called)
        of_hand[one.index + 1] = of_machine[known[called].index + 1] = names.index(called) + 1
    if not names:
        raise SystemExit("the two sides have no concept in common")
    return Shared(tuple(names), of_hand, of_machine)


def mapped(annotation: Annotation, numbers: NDArray[np.uint16]) -> Annotation:
    return annotate(annotation.grid, [numbers[plane] for plane in annotation.planes], ())


def holds(annotation: Annotation, concept: int) -> NDArray[np.bool_]:
    return np.asarray((annotation.planes == concept).any(axis=0)).reshape(annotation.grid)


def pixels(data: Labelled, other: Labelled, names: Sequence[str], everywhere: bool) -> None:
    """A line for each concept: pixels of the two sides, and how far they agree."""
    folders = [data.image_name(i).split("/")[0] for i in range(len(data))]
    print(f"{'concept':<14}{'images':>8}{'hand':>9}{'machine':>9}{'IoU':>7}{'precision':>11}{'recall':>8}")
    for number, name in enumerate(names, 1):
        sides = [
            (holds(data.annotations[i], number), holds(other.annotations[i], number))
            for i in range(len(data))
        ]
        at_home = {folder for folder, (one, _) in zip(folders, sides, strict=True) if one.any()}
        counted = [
            side for folder, side in zip(folders, sides, strict=True) if everywhere or folder in at_home
        ]
        both = sum(int((one & two).sum()) for one, two in counted)
        hand, machine = (sum(int(side[k].sum()) for side in counted) for k in (0, 1))
        shares = [both / n if n else float("nan") for n in (hand + machine - both, machine, hand)]
        print(
            f"{name:<14}{sum(bool(one.any()) for one, _ in counted):>8}{hand:>9,}{machine:>9,}"
            f"{shares[0]:>7.3f}{shares[1]:>11.3f}{shares[2]:>8.3f}"
        )


def units(hand: onnxdissect.Dissection, machine: onnxdissect.Dissection) -> None:
    """Lines for each layer: how often units are called alike."""
    for layer in hand.layers:
        one, two = hand.units(layer.name), machine.units(layer.name)
        alike = np.array([a.label == b.label for a, b in zip(one, two, strict=True)])
        found = np.array([[u.detector for u in side] for side in (one, two)])
        iou = np.array([[u.iou for u in side] for side in (one, two)])
        print(f"\n{layer.name}: {len(one)} units")
        for what, chosen in (
            ("all units", np.ones(len(one), bool)),
            ("detectors by hand labels", found[0]),
            ("detectors by machine labels", found[1]),
            ("detectors by both", found.all(axis=0)),
        ):
            share = f"{alike[chosen].mean():.3f}" if chosen.any() else "-"
            print(f"  {what:<30}{int(chosen.sum()):>6}  called alike {share:>6}")
        unique = [len({u.label for u in side if u.detector}) for side in (one, two)]
        ranks = iou.argsort(axis=1).argsort(axis=1)
        print(f"  unique detectors by hand {unique[0]}, by machine {unique[1]}")
        print(f"  rank correlation of the best IoUs {np.corrcoef(ranks)[0, 1]:.3f}")
        everywhere = [
            np.array([u.detector for u in side.rescore(scoring="pnas").units(layer.name)])
            for side in (hand, machine)
        ]
        told = ", ".join(
            f"{who} {int(found.sum())}"
            for who, found in (
                ("by hand", everywhere[0]),
                ("by machine", everywhere[1]),
                ("by both", everywhere[0] & everywhere[1]),
            )
        )
        # the paper counts activations in images that hold any label of the category
        print(f"  detectors, activations of all images counted: {told}")


def main() -> None:
    args = parser.parse_args()
    base = open_dataset(args.data)
    grids = {base.grid(i) for i in range(len(base))}
    if len(grids) > 1:
        raise SystemExit("the label grids of the data set differ; this script compares on one")
    rows, columns = grids.pop()
    query = f"images={{}}&classes={encoded(args.classes)}&links=follow&grid={rows}x{columns}"
    with tempfile.TemporaryDirectory() as place:
        photographs = Path(place) / "photographs"
        for i in range(len(base)):
            link = photographs / base.image_name(i)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(base.image_path(i).absolute())
        asked = "&".join([query.format(encoded(str(photographs))), *filter(None, [args.query])])
        seen = open_segmenter(parse_spec(f"{encoded(str(args.segmenter))}?{asked}"))
        shared = find_shared(base.vocabulary, seen.vocabulary, args.same)
        compare(args, base, seen.labeller, shared, Path(place))


def compare(
    args: argparse.Namespace, base: BrodenDataset, labeller: Labeller, shared: Shared, place: Path
) -> None:
    by_hand = [mapped(base.read_annotation(i), shared.of_hand) for i in range(len(base))]
    folders = [base.image_name(i).split("/")[0] for i in range(len(base))]
    known = {folder for folder, one in zip(folders, by_hand, strict=True) if one.planes.size}
    chosen = [i for i, folder in enumerate(folders) if args.all_images or folder in known][: args.limit]
    by_machine = []
    for i in chosen:
        maps = labeller(base.read_image(i), base.image_name(i))
        by_machine.append(annotate(base.grid(i), [shared.of_machine[one] for one in maps], ()))
    vocabulary = make_vocabulary({"object": dict(enumerate(shared.names, 1))})
    sides = [
        Labelled(base, tuple(chosen), name, vocabulary, labels)
        for name, labels in (("hand", [by_hand[i] for i in chosen]), ("machine", by_machine))
    ]
    print(f"{len(chosen)} of {len(base)} photographs, {len(shared.names)} shared concepts\n")
    pixels(sides[0], sides[1], shared.names, args.all_images)
    options: dict[str, Any] = {
        "quantiles": [args.quantile],
        "mean": args.mean,
        "std": args.std,
        "scale": args.scale,
        "preset": args.preset,
        "bootstrap": 0,
        "null": 0,
    }
    runs = [
        onnxdissect.dissect(args.model, side, args.layer or ["stages"], out=place / side.name, **options)
        for side in sides
    ]
    units(*runs)


if __name__ == "__main__":
    main()
