"""A disk that fills up at any step of a run: one message, and the same command goes on afterwards."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.small_runs import Convolution, broden, contents, dissect, network

from onnxdissect.errors import OutputError
from onnxdissect.report import build

OPTIONS: dict[str, Any] = {
    "layers": ["relu0", "relu1"],
    "keep_masks": True,
    "bootstrap": 20,
    "null": 3,
    "save_every": 0,
    "batch_size": 2,
    "workers": 1,
}
# So many kilobytes that the disk is full at the spool, the state, an archive, a table and a page.
SIZES = (4, 20, 60, 124, 188, 284, 308, 332)


def tables(run: Path) -> dict[str, bytes]:
    return {name: content for name, content in contents(run).items() if not name.startswith("report")}


def test_the_disk_is_full_at_every_step(tmp_path: Path) -> None:
    chain = [Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1)), Convolution(5, (3, 3), (2, 2), (1, 1, 1, 1))]
    network(tmp_path / "net.onnx", chain, True, 1)
    broden(tmp_path / "data", 40, seed=3)
    expected = tables(dissect(tmp_path, out=tmp_path / "whole", **OPTIONS).path)
    disk = tmp_path / "disk"
    disk.mkdir()
    full_at = set()
    for size in SIZES:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("file systems cannot be mounted here")
        try:
            with pytest.raises(OutputError) as caught:
                build(dissect(tmp_path, out=disk / "run", **OPTIONS))
            said = str(caught.value)
            assert f"on the file system {disk}, where" in said or f"are free in {disk}" in said, said
            assert "hint: " in said
            full_at.add(re.sub(r"-[0-9]+", "", said.partition(":")[0].rpartition("/")[2]))
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            again = dissect(tmp_path, out=disk / "run", **OPTIONS)
            build(again)
            assert tables(again.path) == expected
            assert not list(disk.rglob("*.partial"))
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    assert {"spool.bin", "state.npz", "report"} <= full_at, full_at
    assert len(full_at) >= 5, full_at
