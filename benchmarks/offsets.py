"""Where cells lie best: the IoU of fixed labels as a layer's cells are shifted over the image.

    python benchmarks/offsets.py MODEL DATA [--layer SEL]... [--limit N] [--steps N] [--stability SHARE]
        [--quantile TAU] [--labels MAP] [--curve] [preprocessing options]

Labels are those of a run with `receptive-field` (or `--labels resize`), of units whose stability exceeds 0.9;
they stay fixed. The pass is made once and kept, and its masks are counted again with all cells moved by -1 to
+1 cells, in steps of a quarter, from the theoretical centres, with `resize`, and with the measured centres
(`effective`). A row per layer: mean IoU at the theoretical centres; what that is multiplied with at the best
shift, by `resize` and by `effective`; where these have the middle cell, in cells from theory; and how large
masks are against the share tau of all pixels: T_k is a quantile of the cells, and between cells the
interpolated map is lower.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from options import common, preprocessing
from worlds import prepared

import onnxdissect
from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.progress import Silent
from onnxdissect.core.scoring import iou
from onnxdissect.core.state.intake import Intake
from onnxdissect.core.state.pass_state import PassResult, PassState
from onnxdissect.core.upsampling import Field
from onnxdissect.data import Dataset, batches, open_dataset
from onnxdissect.model import (
    Layer,
    Preparer,
    Session,
    choose_preprocessing,
    load_network,
    open_session,
)
from onnxdissect.model.receptive_field.effective import PROBE_IMAGES, even_spread, measure_centres
from onnxdissect.pipeline.execution.image_pass import run_pass
from onnxdissect.pipeline.tally import tally

Labels = list[tuple[int, int]]

_BLOCK = 8
_THREADS = 2
_SPOOL_BYTES = 512 * 2**20

parser = common(__doc__)
parser.add_argument("--steps", type=int, default=4, help="shifts per cell")
parser.add_argument("--labels", default="receptive-field", help="the map that labels are chosen with")
parser.add_argument("--quantile", type=float, default=0.005)
parser.add_argument("--curve", action="store_true", help="print the mean IoU at every shift")
parser.add_argument(
    "--stability", type=float, default=0.9, help="labels that are more stable than this count"
)


def make_plan(dataset: Dataset, layers: Sequence[Layer], size: tuple[int, int], quantile: float) -> Plan:
    """A plan whose cells lie at their theoretical centres."""

    def theory(layer: Layer) -> LayerPlan:
        field = layer.receptive_field
        return LayerPlan(
            layer.name, layer.units, layer.grid, None if field is None else (field.offset, field.stride)
        )

    return Plan(
        layers=tuple(map(theory, layers)),
        quantiles=(quantile,),
        images=len(dataset),
        pixels=size,
        grids=np.array(sorted({dataset.grid(i) for i in range(len(dataset))}), np.int64),
        vocabulary=dataset.vocabulary,
        top=0,
        block=_BLOCK,
        threads=_THREADS,
        spool_bytes=_SPOOL_BYTES,
    )


def one_pass(plan: Plan, dataset: Dataset, preparer: Preparer, session: Session, folder: Path) -> PassResult:
    """Everything a tally needs, whatever the anchors."""
    intake = Intake(PassState(plan, folder))
    stream = batches(
        dataset,
        preparer,
        shape=preparer.shape,
        dtype=preparer.dtype,
        batch_size=_BLOCK,
        workers=_THREADS,
        start=0,
    )
    run_pass(
        intake,
        stream,
        session,
        dataset.image_name,
        Silent(),
        workers=_THREADS,
        batch_size=4,
        tag={},
        save_every=float("inf"),
        stopped=lambda: False,
    )
    return intake.gathered().settle()


@dataclass(frozen=True, slots=True)
class Counted:
    """What one layer scores with its cells at one place.

    Attributes
    ----------
    iou : float
        Mean over the fixed labels.
    share : float
        Mask pixels of all units, as a share of the tau of all pixels that T_k lets pass at the cells.
    """

    iou: float
    share: float


def count_at(
    plan: Plan, passed: PassResult, fields: Sequence[Field | None], labels: Sequence[Labels], pixels: int
) -> list[Counted]:
    """Count every mask again with the cells at these places (None: `resize`)."""
    layers = tuple(replace(layer, field=field) for layer, field in zip(plan.layers, fields, strict=True))
    found = []
    tallies = tally(replace(plan, layers=layers), passed, Silent()).layers
    for counted, fixed in zip(tallies, labels, strict=True):
        counts = counted.counts
        scores = iou(counts.intersection, counts.activation, passed.truth, plan.vocabulary.category_of)[0]
        means = [scores[unit, concept] for unit, concept in fixed]
        area = float(counts.activation_total[0].mean()) / (pixels * plan.quantiles[0])
        found.append(Counted(float(np.mean(means)) if means else float("nan"), area))
    return found


def stable_labels(
    given: argparse.Namespace, source: Path, layers: Sequence[Layer], folder: Path
) -> list[Labels]:
    """Unit and concept of every label that is stable, layer by layer."""
    run = onnxdissect.dissect(
        given.model,
        source,
        [layer.name for layer in layers],
        limit=given.limit,
        upsample=given.labels,
        quantiles=[given.quantile],
        null=0,
        bootstrap=200,
        provider="cpu",
        top=0,
        out=folder / "run",
        **preprocessing(given),
    )
    column = {(concept.name, concept.category): i for i, concept in enumerate(run.concepts)}
    return [
        [
            (unit.unit, column[unit.label, unit.category])
            for unit in run.units(layer.name)
            if unit.label and (unit.stability or 0) > given.stability
        ]
        for layer in layers
    ]


def shifted(field: Field, cells: float) -> Field:
    """The same cells, moved by so many cells down and to the right."""
    offset, stride = field
    return (offset[0] + cells * stride[0], offset[1] + cells * stride[1]), stride


def even(layer: Layer, size: tuple[int, int]) -> Field:
    """Where `resize` has the cells."""
    down, across = (even_spread(cells, pixels) for cells, pixels in zip(layer.grid, size, strict=True))
    return (down[0], across[0]), (down[1], across[1])


def distance(layer: Layer, field: Field) -> float:
    """How far a layer's middle cell lies from its theoretical centre, in cells; the mean of both axes."""
    theory = layer.receptive_field
    assert theory is not None
    apart = [
        (field[0][a] - theory.offset[a] + (field[1][a] - theory.stride[a]) * (layer.grid[a] - 1) / 2)
        / theory.stride[a]
        for a in (0, 1)
    ]
    return sum(apart) / 2


def main() -> None:
    given = parser.parse_args()
    source = given.data
    dataset = open_dataset(source).subset(limit=given.limit)
    network = load_network(given.model, image_size=dataset.image_size)
    layers = [layer for layer in network.select(given.layer or ["stages"]) if layer.receptive_field]
    if not layers:
        raise SystemExit("none of these layers has a theoretical centre")
    chosen = choose_preprocessing(network, **preprocessing(given))
    preparer = Preparer(chosen, network.input, network.size)
    session = open_session(network, layers, provider="cpu", threads=1, spin=False)
    images = next(prepared(dataset, preparer, PROBE_IMAGES, 0))
    measured = measure_centres(session, layers, network.input, images)
    plan = make_plan(dataset, layers, network.size, given.quantile)
    theory = [layer.field for layer in plan.layers if layer.field is not None]
    effective = [
        (centre.offset, centre.stride) if centre.offset and centre.stride else field
        for centre, field in zip(measured, theory, strict=True)
    ]
    shifts = np.arange(-given.steps, given.steps + 1) / given.steps
    pixels = sum(int(np.prod(dataset.grid(i))) for i in range(len(dataset)))
    with tempfile.TemporaryDirectory() as name:
        labels = stable_labels(given, source, layers, Path(name))
        passed = one_pass(plan, dataset, preparer, session, Path(name))
        count = partial(count_at, plan, passed, labels=labels, pixels=pixels)
        scan = [count([shifted(field, shift) for field in theory]) for shift in shifts]
        resized, centred = count([None] * len(layers)), count(effective)
    print(f"{given.model.name} on {dataset.name}: {len(dataset)} images, labels by {given.labels}")
    print(f"{'':<12}{'':>9} {'':>7} {'IoU':>7}{'times theory':>24}{'place in cells':>25}{'mask / tau':>24}")
    print(
        f"{'layer':<12}{'cells':>9}{'labels':>8} {'theory':>7}"
        + f"{'peak':>8}{'resize':>8}{'effect.':>8}{'peak':>9}{'resize':>8}{'effect.':>8}"
        + f"{'theory':>8}{'resize':>8}{'effect.':>8}"
    )
    for i, layer in enumerate(layers):
        row = [at[i] for at in scan]
        base = row[given.steps]
        best = max(range(len(row)), key=lambda s: row[s].iou)
        ratios = [at.iou / base.iou for at in (row[best], resized[i], centred[i])]
        places = [shifts[best], distance(layer, even(layer, network.size)), distance(layer, effective[i])]
        shares = [at.share for at in (base, resized[i], centred[i])]
        print(
            f"{layer.alias:<12}{layer.grid[0]:>5}x{layer.grid[1]:<3}{len(labels[i]):>8} {base.iou:>7.4f}"
            + "".join(f"{ratio:8.2f}" for ratio in ratios)
            + " "
            + "".join(f"{place:+8.2f}" for place in places)
            + "".join(f"{share:8.2f}" for share in shares)
            + (f"  {measured[i].reason}" if measured[i].reason else "")
        )
        if given.curve:
            print(
                "  "
                + " ".join(f"{s:+.2f}:{at.iou / base.iou:.2f}" for s, at in zip(shifts, row, strict=True))
            )


if __name__ == "__main__":
    main()
