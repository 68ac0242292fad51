"""Units that saturate have no masks, and a comparison says so wherever it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from support.commands import called
from support.datasets import random_broden, write_broden
from support.saturating import saturating

import onnxdissect
from onnxdissect.experiments.comparison import write_comparison
from onnxdissect.experiments.comparison.formats.markdown import markdown


def test_a_comparison_repeats_which_layers_saturate(tmp_path: Path) -> None:
    data = write_broden(tmp_path / "data", random_broden(np.random.default_rng(0), pictures=12))
    run = onnxdissect.dissect(
        saturating(tmp_path / "m.onnx"),
        data,
        ["r"],
        quantiles=[0.005, 0.9],
        preset="raw",
        bootstrap=0,
        null=0,
        out=tmp_path / "run",
    )
    found = onnxdissect.compare(run, by="quantile")
    first, _ = found.layers
    (warning,) = found.warnings
    assert warning.startswith(
        f"{first.name}: 1 of 4 units has no mask at quantile 0.005, because it saturates"
    )
    assert not onnxdissect.compare([run, run], quantiles=0.9).warnings
    twice = onnxdissect.compare([run, run]).warnings
    assert len(twice) == 2 and all("1 of 4 units has no mask" in one for one in twice)
    # wherever it is shown
    assert "**Warning:**" in markdown(found) and "1 of 4 units has no mask" in markdown(found)
    assert "1 of 4 units has no mask" in found._repr_html_()
    write_comparison(found, tmp_path / "kept")
    assert onnxdissect.load_comparison(tmp_path / "kept") == found
    typed = called(tmp_path, "compare", "run", "--by", "quantile", "--json", "--out", "shown")
    assert typed.returncode == 0, typed.stderr
    told = json.loads(typed.stdout)
    assert told["warnings"] == [warning]
    assert f"warning: {warning}" in " ".join(typed.stderr.split())
    assert "has no mask at quantile 0.005" in (tmp_path / "shown" / "index.html").read_text(encoding="utf-8")


def test_a_comparison_of_before_there_were_warnings_is_read(world: Path, tmp_path: Path) -> None:
    found = onnxdissect.compare([world / "one", world / "two"])
    assert found.warnings == ()
    write_comparison(found, tmp_path / "kept")
    path = tmp_path / "kept" / "comparison.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    del told["warnings"]
    path.write_text(json.dumps(told), encoding="utf-8")
    assert onnxdissect.load_comparison(tmp_path / "kept") == found
