"""Locks hold between processes and end with their holder."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from onnxdissect.errors import OutputError
from onnxdissect.storage.locks import locked

HOLD = """
import sys, time
from pathlib import Path
from onnxdissect.storage.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
TAKEN = OutputError("somebody else has it")


def holder(path: Path, seconds: float) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_that_is_taken_is_refused_and_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path, 60) as process:
        for _ in range(2):
            with pytest.raises(OutputError, match="somebody else"), locked(path, taken=TAKEN):
                pytest.fail("two hold the lock")
        process.kill()
        process.wait()
        with locked(path, taken=TAKEN):
            pass
    assert [found.name for found in tmp_path.iterdir()] == ["lock"]


def test_without_an_error_the_lock_is_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    with holder(tmp_path / "lock", 1.0) as process, locked(tmp_path / "lock"):
        assert process.wait(timeout=60) == 0
        assert time.monotonic() - began > 0.5


def test_two_of_one_process_exclude_each_other_and_the_body_s_error_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(KeyError), locked(path, taken=TAKEN):
        with pytest.raises(OutputError, match="somebody else"), locked(path, taken=TAKEN):
            pytest.fail("two hold the lock")
        raise KeyError
    with locked(path, taken=TAKEN):
        pass


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match=r"file.lock cannot be locked: "),
        locked(tmp_path / "file" / "lock"),
    ):
        pytest.fail("nothing was locked")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"folder cannot be locked: "), locked(tmp_path / "folder"):
        pytest.fail("a folder was locked")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other permissions")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    # root may write everywhere: the child gives that up once it has loaded what it needs
    script = """
import os, sys
from pathlib import Path
import filelock
filelock.FileLock, filelock.Timeout
from onnxdissect.errors import OutputError
from onnxdissect.storage.locks import locked
with locked(Path(sys.argv[1], "free")):
    pass
os.chmod(sys.argv[1], 0o555)
if os.geteuid() == 0:
    os.setuid(65534)
try:
    with locked(Path(sys.argv[1], "lock")):
        print("locked")
except OutputError as error:
    print(error.message)
"""
    # below folders that only their owner may enter the path would not even be found
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        command = [sys.executable, "-c", script, folder]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "lock cannot be locked: Permission denied" in found
