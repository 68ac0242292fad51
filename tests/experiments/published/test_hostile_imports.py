"""Imported runs whose files were changed: refused, or read to numbers that can be; never a bug."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
from support.former_runs import without_checksums
from support.hostile_files import change_archive, change_file, change_table
from support.hostile_runs import change_manifest
from support.result_files import draw_units, table, write

import onnxdissect
from onnxdissect.errors import OnnxDissectError
from onnxdissect.report.data.report_data import gather_report
from onnxdissect.results import rescore

CHANGES = (change_manifest, change_manifest, change_table, change_table, change_archive, change_file)


def test_changed_files_are_refused_or_read(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{name}.csv", table(draw_units(5, seed))) for seed, name in enumerate("ab")]
    made = onnxdissect.import_netdissect(files, tmp_path / "run").path
    refused = read = 0
    for seed in range(150):
        dice = random.Random(seed)
        run = Path(shutil.copytree(made, tmp_path / str(seed)))
        # most changes would be told by the checksum of the archive alone
        without_checksums(run)
        try:
            dice.choice(CHANGES)(run, dice)
        except FileNotFoundError:  # a table or an archive that only runs with images have
            continue
        try:
            look_at(run)
        except OnnxDissectError:
            refused += 1
        else:
            read += 1
        shutil.rmtree(run)
    assert refused > 30
    assert read > 10


def look_at(folder: Path) -> None:
    run = onnxdissect.load(folder)
    for info in run.layers:
        iou = run.iou(info.name)
        assert np.isfinite(iou).all()
        assert ((iou >= 0) & (iou <= 1)).all()
        assert iou.shape == run.known_iou(info.name).shape
    for unit in run.units():
        assert 0 <= unit.iou <= 1
    if run.imported:
        gather_report(run)
    rescore(folder, iou_threshold=0.1)
