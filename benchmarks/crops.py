"""How often a check alarms when nothing changed but the crops, and what it finds when something did.

    python benchmarks/crops.py MODEL DATA [--images N] [--pairs N] [--crop SHARE] [--layer SEL]...
        [preprocessing options]

Each pair of worlds is of the same drawn images (no image twice), cut at random for either side; MODEL is
dissected on the first side as baseline, on the second as candidate. The network is the same, so every loss
that a rule finds is a false alarm. Then 10 % of the baseline's detectors are destroyed in the candidate, on
its own crops again: every destroyed unit that a rule names is a find.

`check` itself refuses data of another fingerprint; here the candidate is declared to be of the baseline's.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import options
from draws import crop, read_index
from numpy.typing import NDArray
from onnx import numpy_helper

import onnxdissect
from onnxdissect.check.baseline.snapshot import Snapshot, snapshot_of
from onnxdissect.check.comparing.comparison import Comparison, make_comparison
from onnxdissect.check.rules.config import Config
from onnxdissect.check.rules.rules import apply_rules
from onnxdissect.statistics.paired import loss_p_values

LEVELS = (0.05, 0.01, 0.001)
SHARE = 0.1
RULES = ("iou-loss", "unique-loss", "labels", "dead")

parser = options.common(__doc__)
parser.add_argument("--images", type=int, default=400)
parser.add_argument("--pairs", type=int, default=40)
parser.add_argument("--crop", type=float, default=0.875)


@dataclass
class Tally:
    """What rules said over all pairs, under one set of rules."""

    title: str
    config: Config
    single: list[NDArray[np.float64]] = field(default_factory=list)
    alarms: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))
    failed: int = 0
    pairs: int = 0
    destroyed: int = 0
    found: int = 0
    others: int = 0
    caught: int = 0

    def add(self, baseline: Snapshot, same: Snapshot, harmed: Snapshot, units: list[tuple[str, int]]) -> None:
        self.pairs += 1
        comparison = make_comparison(baseline, same, self.config)
        self.single.append(self._single(comparison))
        failed = {finding.rule for finding in apply_rules(comparison) if finding.status == "failed"}
        for rule in RULES:
            self.alarms[rule] += rule in failed
        self.failed += not failed.isdisjoint(RULES)
        comparison = make_comparison(baseline, harmed, self.config)
        named = {
            (pair.before.name, k)
            for pair in comparison.pairs
            for k, p in pair.p_values.items()
            if p <= self.config.significance
        }
        self.destroyed += len(units)
        self.found += len(named & set(units))
        self.others += len(named - set(units))
        self.caught += any(finding.status == "failed" for finding in apply_rules(comparison))

    def _single(self, comparison: Comparison) -> NDArray[np.float64]:
        tested = []
        for pair in comparison.pairs:
            assert pair.resamples is not None
            before, after = pair.resamples
            p = loss_p_values(before.iou, after.iou, before.images, self.config.iou_margin)
            tested.append(p[comparison.baseline.detectors(pair.before)])
        return np.concatenate(tested)

    def print(self) -> None:
        p = np.concatenate(self.single)
        print(f"\n{self.title}: {self.pairs} pairs, {p.size} tests of single units")
        print("  single tests at " + ", ".join(f"{x:g}: {100 * (p <= x).mean():.2f} %" for x in LEVELS))
        print("  same network, other crops: pairs in which a rule fails")
        for rule, count in (*self.alarms.items(), ("any of these", self.failed)):
            print(f"    {rule:<12} {count:3d} of {self.pairs}  ({100 * count / self.pairs:.1f} %)")
        print(
            f"  {100 * SHARE:.0f} % of the detectors destroyed, other crops: {self.found} of {self.destroyed}"
            f" named by iou-loss, {self.others} others named, {self.caught} of {self.pairs} pairs fail"
        )


def destroy(model: Path, target: Path, units: list[tuple[str, int]], random: np.random.Generator) -> None:
    """Shuffle the weights of the convolutions that make these units, each within itself."""
    graph = onnx.load(model)
    maker = {output: node for node in graph.graph.node for output in node.output}
    tensors = {tensor.name: tensor for tensor in graph.graph.initializer}
    for layer, unit in units:
        node = maker[layer]
        while node.op_type != "Conv":
            node = maker[node.input[0]]
        tensor = tensors[node.input[1]]
        weights = numpy_helper.to_array(tensor).copy()
        weights[unit] = random.permutation(weights[unit].ravel()).reshape(weights[unit].shape)
        tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
    onnx.save(graph, target)


def main() -> None:
    given = parser.parse_args()
    source = given.data
    asked: dict[str, Any] = options.preprocessing(given) | {"null": 0, "bootstrap": 200, "provider": "cpu"}
    asked |= {"layers": given.layer or ["stages"]}
    total = len(read_index(source)[1])
    total = min(total, given.limit or total)
    images = min(given.images, total)
    tallies = [
        Tally("no margins", Config(iou_margin=0.0, unique_margin=0.0)),
        Tally("the rules as they come", Config()),
    ]
    for number in range(given.pairs):
        random = np.random.default_rng(number)
        chosen = random.permutation(total)[:images]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            sides = [crop(source, folder / side, chosen, given.crop, random) for side in ("one", "two")]
            run = onnxdissect.dissect(given.model, sides[0], out=folder / "baseline", **asked)
            baseline = snapshot_of(run)
            detectors = [(unit.layer, unit.unit) for unit in run.units() if unit.detector]
            units = [
                detectors[i]
                for i in sorted(random.permutation(len(detectors))[: round(SHARE * len(detectors))])
            ]
            destroy(given.model, folder / "harmed.onnx", units, random)
            others = []
            for model, out in ((given.model, "same"), (folder / "harmed.onnx", "harmed")):
                other = snapshot_of(onnxdissect.dissect(model, sides[1], out=folder / out, **asked))
                others.append(replace(other, data=baseline.data))
        for tally in tallies:
            tally.add(baseline, others[0], others[1], units)
    print(f"{given.model.name}: {images} images a pair, crops of {given.crop:g} of each side")
    for tally in tallies:
        tally.print()


if __name__ == "__main__":
    main()
