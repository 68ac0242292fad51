"""The script that compares a segmenter's labels with hand labels, on labels whose agreement is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from support.models import save
from support.segmenters import CLASSES, classes, dissected, picture, segmenter, truth

from onnxdissect.data import LabelEntry, write_image, write_tables

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "segmenter_agreement.py"


def test_agreement_is_that_of_the_pixels(tmp_path: Path) -> None:
    """Hand labels are right, but for half of what is green."""
    names = ("sky", "Red ", "leaf", "blue")
    records = []
    for i in range(8):
        label = truth(picture(i)) + 1
        green = np.flatnonzero(label == 3)
        label.ravel()[green[::2]] = 0
        records.append(write_image(tmp_path / "hand", f"here/{i}.png", picture(i), {"object": [label]}))
        plain = write_image(tmp_path / "hand", f"there/{i}.png", picture(i), {}, grid=(16, 16))
        records.append(plain)
    labels = [LabelEntry(i, name.strip(), ("object",)) for i, name in enumerate(names, 1)]
    write_tables(tmp_path / "hand", ("object",), labels, records)
    save(segmenter(), tmp_path / "seg.onnx")
    classes(tmp_path / "classes.txt", CLASSES)
    words = [dissected(tmp_path / "net.onnx"), tmp_path / "hand", tmp_path / "seg.onnx"]
    options = ["--classes", tmp_path / "classes.txt", "--same", "leaf=green", "--preset", "unit"]
    command = [sys.executable, SCRIPT, *words, *options, "--with", "ignore=0", "--layer", "units"]
    done = subprocess.run(
        [*map(str, command), "--quantile", "0.3"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    said = [line.split() for line in done.stdout.splitlines()]
    assert "8 of 16 photographs, 3 shared concepts" in done.stdout
    assert ["red", "8", "512", "512", "1.000", "1.000", "1.000"] in said
    assert ["green", "8", "256", "512", "0.500", "0.500", "1.000"] in said
    assert "activations of all images counted: by hand 3, by machine 3, by both 3" in done.stdout
    assert ["detectors", "by", "both", "3", "called", "alike", "1.000"] in said
