"""Baselines and candidates of checks, from the shipped network."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxdissect
from onnxdissect.check.baseline.file import open_baseline, write_baseline
from onnxdissect.check.baseline.snapshot import Snapshot
from onnxdissect.check.comparing.comparison import changed_units, make_comparison
from onnxdissect.check.rules.config import Config
from onnxdissect.check.rules.rules import apply_rules
from onnxdissect.check.verdict import ChangedUnit, Finding, Verdict
from onnxdissect.cli.main import main

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "tiny_scenes.onnx"


def make_run(folder: Path, limit: int = 60) -> Path:
    onnxdissect.dissect(MODEL, "tiny", ["relu6"], limit=limit, out=folder / "run")
    return folder / "run"


def make_baseline(run: Path) -> Path:
    path = run.parent / "baseline.json"
    write_baseline(path, open_baseline(run))
    return path


def weights(path: Path, change: str) -> Path:
    """The network with the last convolution shuffled, zeroed, doubled in one unit or cut off."""
    model = onnx.load(MODEL)
    conv = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    for tensor in model.graph.initializer:
        if tensor.name in conv.input:
            values = numpy_helper.to_array(tensor).copy()
            if change == "shuffled":
                values = values[np.random.default_rng(0).permutation(len(values))]
            elif change == "zeroed":
                values[:] = 0
            elif change == "doubled":
                values[1] = values[0]
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, path)
    return path


def compare(
    baseline: Snapshot, candidate: Snapshot, config: Config
) -> tuple[tuple[Finding, ...], tuple[ChangedUnit, ...]]:
    comparison = make_comparison(baseline, candidate, config)
    return apply_rules(comparison), changed_units(comparison)


def failed(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.findings if finding.status == "failed"}


@dataclass(frozen=True)
class Said:
    """How a process ended."""

    code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """This one, without what a workflow's runner would have set, and with the program on the path."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
    return inherited | {"PATH": path} | variables


def call(*words: object, cwd: Path, **variables: str) -> Said:
    """Run `onnxdissect check` in this process: the same way in and out, without the imports."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment(**variables), clear=True),
        mock.patch.object(sys, "argv", ["onnxdissect", "check", *map(str, words)]),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        main()
    code = end.value.code
    return Said(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def check(*words: object, cwd: Path, **variables: str) -> Said:
    """Run `onnxdissect check` as a process."""
    done = subprocess.run(
        [sys.executable, "-m", "onnxdissect", "check", *map(str, words)],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)
