"""Run directories that lie: one thing of a small real run is changed by its structure, then it is read.

    cd tests; python -m support.hostile_runs START STOP

Each seed changes a field of the manifest, a cell of a table, an array or its header, a member of an archive,
or puts a link or a pipe in a file's place; then the run is loaded, its report is gathered, a check compares
with it, and it is rescored. Either it is refused by an error of ours, or every figure it gives is one.
Seeds are tried in forked processes with a bound on memory and time, so that a claim cannot pass by luck.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import onnxdissect
from onnxdissect.check.baseline.file import open_baseline
from onnxdissect.check.baseline.snapshot import Snapshot, snapshot_of
from onnxdissect.check.comparing.comparison import make_comparison
from onnxdissect.check.rules.config import Config
from onnxdissect.errors import OnnxDissectError
from onnxdissect.experiments.basis_findings import basis_findings
from onnxdissect.report import build
from onnxdissect.report.data.report_data import gather_report
from onnxdissect.results import rescore
from support.attempts import tell_all
from support.former_runs import without_checksums
from support.hostile_files import change_archive, change_file, change_table
from support.small_runs import Convolution, broden, dissect, network

MEMORY = 3 * 2**29
_FIGURES_OF = 40  # one seed in so many draws the whole report

# Values that no field of a manifest should do harm with; text in JSON, as some have no Python value.
_DIGITS = "7" * 5000
VALUES = (
    *("null", "true", "false", "-1", "0", "1", "2", "0.5", "-0.5", "1e-320", "1e308", "-1e308"),
    *("1e400", "-1e400", "NaN", "Infinity", "-Infinity", str(2**31), str(2**63), str(10**12), str(10**30)),
    *('""', '" "', '"0"', '"12"', '"../../../../etc"', '"/etc/passwd"', r'"\ud800"', r'"\u0000"'),
    *("[]", "{}", "[[]]", "[null]", "[0, 0]", "[1e400, 1]", "[-1, -1]", "[1, 2, 3]", '{"a": 1}'),
    *(_DIGITS, f"-{_DIGITS}", f'"{"x" * 200_000}"', "[" * 100_000 + "]" * 100_000),
)


def make_run(folder: Path) -> Path:
    """Dissect a small network, keeping all that a run can keep."""
    chain = [
        Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1)),
        Convolution(5, (3, 3), (2, 2), (1, 1, 1, 1)),
    ]
    network(folder / "net.onnx", chain, True, 1)
    broden(folder / "data", 6, 3)
    options = {"layers": ["relu0", "relu1"], "quantiles": [0.1, 0.2], "bootstrap": 20, "null": 3}
    bases = ["rotation:seed=1,alpha=0.5", "directions:n=3"]
    dissect(folder, keep_masks=True, bases=bases, **options)
    return folder / "run"


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """All fields of a JSON document, records and lists among them."""
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for name, item in items:
        yield (*path, name)
        yield from places(item, (*path, name))


def change_manifest(run: Path, dice: random.Random) -> str:
    path = run / "manifest.json"
    manifest = json.loads(path.read_text())
    where = dice.choice(list(places(manifest)))
    holder: Any = manifest
    for name in where[:-1]:
        holder = holder[name]
    said = ".".join(map(str, where))
    match dice.choice(["set", "set", "set", "set", "drop", "twice", "again"]):
        case "drop":
            del holder[where[-1]]
            path.write_text(json.dumps(manifest))
            return f"manifest without {said}"
        case "twice" if isinstance(holder, dict):
            item = json.dumps({where[-1]: holder[where[-1]]})[1:-1]
            holder["here"] = 0
            path.write_text(json.dumps(manifest).replace('"here": 0', item, 1))
            return f"manifest with {said} twice"
        case "again" if isinstance(holder, list):
            holder.append(holder[int(where[-1])])
            path.write_text(json.dumps(manifest))
            return f"manifest with {said} again"
    value = dice.choice(VALUES)
    holder[where[-1]] = "here-goes-the-value"
    path.write_text(json.dumps(manifest).replace('"here-goes-the-value"', value, 1))
    return f"manifest with {said} = {value[:40]}"


CHANGES: tuple[Callable[[Path, random.Random], str], ...] = (
    *(change_manifest, change_manifest, change_manifest),
    *(change_table, change_table),
    *(change_archive, change_archive),
    change_file,
)


class HostileRuns:
    """Tries seeds on copies of one run.

    Parameters
    ----------
    folder : Path
        For the run and its copies; empty, or one that was used before.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run" if (folder / "run").is_dir() else make_run(folder)
        self._sound: Snapshot | None = None
        # What is not changed must do, or everything below would be refused for the wrong reason.
        copy = self._copy(-1)
        read_all(copy, self.sound(), figures=True)
        shutil.rmtree(copy)

    def sound(self) -> Snapshot:
        if self._sound is None:
            self._sound = snapshot_of(onnxdissect.load(self.run))
        return self._sound

    def __call__(self, seed: int) -> str:
        """Give the outcome of a seed: what was changed, and whether it was refused, read, or a bug."""
        dice = random.Random(seed)
        copy = self._copy(seed)
        said = "?"
        if seed % 2:
            # what is refused for its checksum alone tells nothing of the other bounds
            without_checksums(copy)
        try:
            said = dice.choice(CHANGES)(copy, dice)
            read_all(copy, self.sound(), figures=seed % _FIGURES_OF == 0)
        except OnnxDissectError as error:
            return f"refused ({type(error).__name__}): {said}: {error.message[:300]}"
        except Exception as error:
            import traceback

            place = traceback.extract_tb(error.__traceback__)[-1]
            return (
                f"BUG ({type(error).__name__}): {said}: {str(error)[:200]} at {place.filename}:{place.lineno}"
            )
        finally:
            shutil.rmtree(copy, ignore_errors=True)
        return f"read: {said}"

    def _copy(self, seed: int) -> Path:
        copy = self.folder / f"copy{seed}"
        shutil.rmtree(copy, ignore_errors=True)
        return Path(shutil.copytree(self.run, copy))


def read_all(run: Path, sound: Snapshot, *, figures: bool) -> None:
    """Read everything that commands read of a run, and see that each figure is one."""
    found = onnxdissect.load(run)
    expect_figures(found)
    for info in found.layers:
        found.counts(info.name)
        assert np.isfinite(found.iou(info.name)).all()
        found.top_maps(info.name)
        found.samples(info.name)
        found.per_image(info.name)
        if info.basis is not None:
            expect_findings(found, info.name)
        if "kept_masks" in found.manifest:
            list(found.masks(info.name).of_unit(0))
        if found.counts(info.name).top_images.shape[1]:
            found.top_mask(info.name, 0, 0)
    if figures:
        build(found)
    else:
        from onnxdissect.report.data.photos import Photos
        from onnxdissect.report.data.units import layer_units

        report = gather_report(found, Photos())
        assert "nan" not in repr([fact.value for fact in report.facts])
        for info in found.layers:
            layer_units(found, info)
    sweep = onnxdissect.threshold_sweep(found)
    for layer in sweep.layers:
        for count in layer.counts:
            assert 0 <= (count.generic_share or 0) <= 1, count
            assert count.generic_detectors <= count.detectors <= count.units, count
    snapshot = open_baseline(run)
    make_comparison(sound, snapshot, Config())
    expect_figures(rescore(run, scoring="lite", iou_threshold=0.02))


def expect_figures(found: onnxdissect.Dissection) -> None:
    units = found.units()
    assert len(units) == sum(info.units for info in found.layers) * len(found.quantiles)
    for unit in units:
        shares = (unit.iou, unit.iou_low, unit.iou_high, unit.stability, unit.p_value, unit.q_value)
        assert all(0 <= share <= 1 for share in shares if share is not None), unit
        assert unit.threshold is not None and math.isfinite(unit.threshold), unit
        assert unit.detector == (unit.iou > found.iou_threshold), unit
    for summary in found.summary():
        assert 0 <= summary.unique_detectors <= summary.detectors <= summary.units, summary


def expect_findings(found: onnxdissect.Dissection, layer: str) -> None:
    nearest = found.nearest_units(layer)
    for one in basis_findings(found, layer):
        assert len(one.directions) == found.layer(layer).units
        for concept in one.concepts:
            assert 0 <= concept.direction.iou <= 1
            assert 0 <= concept.own.iou <= 1
        for direction in one.directions:
            assert (direction.nearest is None) == (nearest is None)
            assert direction.cosine is None or -1 <= direction.cosine <= 1


def main(start: int, stop: int, folder: Path | None = None) -> int:
    with tempfile.TemporaryDirectory() as name:
        return tell_all(HostileRuns(folder or Path(name)), start, stop, memory=MEMORY)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None))
