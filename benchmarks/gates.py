"""Real gates: the shipped network against what exports, quantisation, training and damage make of it.

    python benchmarks/gates.py [--limit N] [--only WORD] [--exported FOLDER]
        [--less SHARE ...] [--trained FOLDER] [--no-training]

A baseline is made of the shipped network on the drawn data set; each candidate is held against it with the
default rules, and beside it stands how many of the data set's scenes it names rightly, which the check does
not know. Prints every verdict with its reasons, then all of them as a table. The exit code is 1 if a verdict
is not the one wanted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from candidates import MODEL, Candidate
from damaged import damaged
from exporters import SHARED, exported, shared
from quantised import quantised

import onnxdissect
from onnxdissect.check.baseline.file import open_baseline, write_baseline
from onnxdissect.check.gate import check_model
from onnxdissect.check.verdict import Verdict
from onnxdissect.data import Dataset, open_dataset
from onnxdissect.model import Preparer, choose_preprocessing, load_network
from onnxdissect.tiny import SCENES, ensure_tiny, scene_of

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--limit", type=int, help="so many images; all by default")
parser.add_argument("--only", default="", help="candidates whose title holds this")
parser.add_argument("--exported", type=Path, help="where files lie that exporters.py wrote elsewhere")
parser.add_argument("--less", type=float, nargs="*", default=[0.1], help="shares of the steps to train with")
parser.add_argument(
    "--trained", type=Path, help="where trained candidates are kept; those there are not trained"
)
parser.add_argument("--no-training", action="store_true", help="without the candidates that must be trained")

BATCH = 32


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    candidate: Candidate
    verdict: Verdict
    accuracy: float | None

    @property
    def wanted(self) -> bool:
        """Whether the verdict is the one that was expected."""
        return self.verdict.passed == (self.candidate.expected == "passes")

    def __str__(self) -> str:
        rules = dict.fromkeys(
            f"{finding.rule} {finding.layer}".strip()
            for finding in (*self.verdict.errors, *self.verdict.warnings)
        )
        accuracy = "" if self.accuracy is None else f"{self.accuracy:.1%}"
        word = "passed" if self.verdict.passed else "failed"
        return " | ".join(
            ["", self.candidate.title, word + ("" if self.wanted else " (!)"), accuracy, ", ".join(rules), ""]
        ).strip()


def accuracy(path: Path, dataset: Dataset) -> float | None:
    """Tell how many scenes a network names rightly.

    Parameters
    ----------
    path : Path
        Fed as the shipped network says its pixels are to be prepared.
    dataset : Dataset
        The drawn one.

    Returns
    -------
    float or None
        Share; None where it does not name the scenes.
    """
    network = load_network(path, image_size=dataset.image_size)
    own = load_network(MODEL, image_size=dataset.image_size)
    preparer = Preparer(choose_preprocessing(own), network.input, network.size)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    if session.get_outputs()[0].shape[-1] != len(SCENES):
        return None
    named = [(i, scene_of(int(Path(dataset.image_name(i)).stem))) for i in range(len(dataset))]
    scenes = [(i, scene) for i, scene in named if scene is not None]
    right = 0
    for start in range(0, len(scenes), BATCH):
        part = scenes[start : start + BATCH]
        batch = np.empty((len(part), *preparer.shape), preparer.dtype)
        for place, (i, _) in zip(batch, part, strict=True):
            preparer(dataset.read_image(i), place)
        (scores,) = session.run(None, {network.input.name: batch})
        right += int((scores.argmax(axis=1) == [scene for _, scene in part]).sum())
    return right / len(scenes)


def hold(
    candidates: Iterable[Candidate], baseline: Path, folder: Path, dataset: Dataset | None
) -> Iterator[Row]:
    """Check candidates one after the other, and print what is found.

    Parameters
    ----------
    candidates : iterable of Candidate
    baseline : Path
    folder : Path
        For the files.
    dataset : Dataset or None
        What the accuracy is measured on, if at all.

    Yields
    ------
    Row
    """
    path = folder / "candidate.onnx"
    for candidate in candidates:
        candidate.write(path)
        started = time.monotonic()
        verdict = check_model(path, baseline, candidate.rules)
        took = time.monotonic() - started
        row = Row(candidate, verdict, None if dataset is None else accuracy(path, dataset))
        print(f"\n{candidate.title}: {verdict.headline.partition(' (')[0]}, {took:.1f} s", flush=True)
        for statement in verdict.statements:
            print(f"  {statement}")
        for finding in (*verdict.errors, *verdict.warnings):
            print(f"  {finding.outcome:<9} {finding.rule:<12} {finding.layer:<8} {finding.message}")
            for line in finding.per_image[:2]:
                print(f"    {line}")
        if candidate.blind:
            print(f"  cannot be seen: {candidate.blind}")
        yield row


def main() -> int:
    """Make the baselines, hold all candidates against them, print the table."""
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = onnxdissect.dissect(MODEL, "tiny", limit=given.limit, null=0, out=folder / "run")
        baseline = folder / "baseline.json"
        size = write_baseline(baseline, open_baseline(folder / "run"))
        print(f"baseline: {len(run.images)} images, {len(run.units())} units, {size / 1024:.0f} KiB")
        detectors = [unit for unit in run.units(run.layers[-1].name) if unit.detector]
        candidates = damaged([u.unit for u in sorted(detectors, key=lambda u: -u.iou)])
        candidates += [*quantised(), *exported(given.exported)]
        if find_spec("torch") is None:
            print("left out: what must be trained, which needs torch")
        elif not given.no_training:
            from retrained import retrained

            candidates += retrained(given.trained or folder / "trained", given.less, given.only)
        dataset = open_dataset(ensure_tiny()).subset(limit=given.limit)
        rows = list(hold((c for c in candidates if given.only in c.title), baseline, folder, dataset))
        others = [c for c in shared() if given.only in c.title]
        if others:
            first = SHARED / "pytorch_torchscript.onnx"
            onnxdissect.dissect(first, "tiny", preset="tf", limit=given.limit, null=0, out=folder / "shared")
            rows += hold(others, folder / "shared", folder, None)
    print("\n| candidate | verdict | scenes named rightly | rules that were not met |\n|---|---|---|---|")
    print(*rows, sep="\n")
    print(f"\n{time.monotonic() - started:.0f} s")
    wrong = [row.candidate.title for row in rows if not row.wanted]
    print(f"not as wanted: {'; '.join(wrong) or 'none'}")
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
