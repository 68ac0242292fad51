"""Where memory does not suffice: one message with what was asked for and what there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.datasets import street, write_broden

from onnxdissect.errors import OutOfMemoryError
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.memory import explained_memory, memory_limit, raise_memory_error, trim_memory
from onnxdissect.storage.schema import ArraySpec, Schema

linux = pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux's")


def limited(mebibytes: int, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python with so much memory beside what it has when the package is imported."""
    bound = (
        "import resource, sys; from pathlib import Path; import onnxdissect.cli.commands, cv2\n"
        "import onnxdissect.cli.main, numpy as np\n"
        "onnxdissect.dissect\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (used + ({mebibytes} << 20),) * 2)\n"
    )
    command = [sys.executable, "-c", bound + script, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_a_memory_error_says_what_was_asked_for() -> None:
    with (
        pytest.raises(
            OutOfMemoryError, match=r"Unable to allocate 1\.00 EiB for an array with shape"
        ) as caught,
        explained_memory(),
    ):
        np.empty((1 << 30, 1 << 30), np.uint8)
    limit = memory_limit()
    assert limit is not None
    assert f"this process may use {limit / 2**30:.1f} GiB" in caught.value.message
    with pytest.raises(OutOfMemoryError, match="more was asked for than is left"), explained_memory():
        raise MemoryError


def test_other_errors_pass() -> None:
    with pytest.raises(cv2.error), explained_memory():
        cv2.resize(np.zeros((0, 0), np.uint8), (5, 5))
    with pytest.raises(KeyError), explained_memory():
        raise KeyError


@linux
def test_the_limit_of_the_process_counts() -> None:
    done = limited(64, "from onnxdissect.storage.memory import memory_limit; print(memory_limit() - used)")
    assert done.stdout == f"{64 << 20}\n", done.stderr


@linux
def test_opencv_has_an_error_of_its_own() -> None:
    script = (
        "from onnxdissect.storage.memory import explained_memory\n"
        "with explained_memory(): cv2.resize(np.zeros((9, 9), np.uint8), (20000, 20000))"
    )
    done = limited(100, script)
    assert "OutOfMemoryError: there is not enough memory" in done.stderr


@linux
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import mmap; mmap.mmap(-1, 1 << 40)", "Cannot allocate memory"),
        ("from onnxdissect.core.spool.pages import PagePool; PagePool()(1 << 30)", "map 1,024 MiB"),
        (
            "import threading; threading.stack_size(1 << 29); threading.Thread(target=print).start()",
            "can't start new thread",
        ),
    ],
)
def test_so_have_the_system_and_threads(body: str, said: str) -> None:
    script = f"from onnxdissect.storage.memory import explained_memory\nwith explained_memory(): {body}"
    done = limited(300, script)
    assert "OutOfMemoryError: there is not enough memory: " in done.stderr
    assert said in done.stderr


def test_it_is_found_in_what_libraries_make_of_it() -> None:
    try:
        try:
            np.empty(2**60, np.uint8)
        except MemoryError as error:
            raise ValueError("a library's own") from error
    except ValueError as error:
        with pytest.raises(MemoryError, match="Unable to allocate"):
            raise_memory_error(error)
    raise_memory_error(ValueError("of itself"))


@linux
@pytest.mark.parametrize("what", ["archive", "model"])
def test_it_is_no_damage(tmp_path: Path, what: str) -> None:
    if what == "archive":
        path = tmp_path / "large.npz"
        script = """
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.schema import ArraySpec, Schema
read_archive(Path(sys.argv[1]), Schema({"large": ArraySpec("uint8", "n")}))
"""
        write_archive(path, Schema({"large": ArraySpec("uint8", "n")}), {"large": np.zeros(2**29, np.uint8)})
    else:
        path = tmp_path / "large.onnx"
        script = "from onnxdissect.model import load_network; load_network(sys.argv[1])"
        with path.open("wb") as file:
            file.truncate(2**29)
    done = limited(200, "from pathlib import Path\n" + script, str(path))
    assert "OutOfMemoryError: there is not enough memory" in done.stderr


@linux
@pytest.mark.parametrize("door", ["python", "command"])
def test_every_door_tells_it(tmp_path: Path, door: str) -> None:
    folder = write_broden(tmp_path / "street", street())
    header, row = (folder / "index.csv").read_text().splitlines()[:2]
    many = "\n".join(row.replace("a/one.jpg", f"{i}.jpg") for i in range(1_000_000))
    (folder / "index.csv").write_text(f"{header}\n{many}\n")
    if door == "python":
        done = limited(200, "from onnxdissect.data import open_data; open_data(sys.argv[1])", str(folder))
        assert "OutOfMemoryError: there is not enough memory" in done.stderr
    else:
        script = "sys.argv[0] = 'onnxdissect'; onnxdissect.cli.main.main()"
        done = limited(200, script, "data", "info", str(folder))
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("error: there is not enough memory")


def held() -> int:
    """Bytes of this process that lie in memory and in no file."""
    told = Path("/proc/self/status").read_text(encoding="ascii").split("RssAnon:")[1]
    return int(told.split()[0]) << 10


@linux
def test_what_lies_free_between_arrays_goes_back_to_the_system() -> None:
    trim_memory()
    # arrays small enough for the heap, of which every second one stays
    arrays = [np.ones(100_000, np.uint8) for _ in range(1000)]
    kept = arrays[::2]
    del arrays
    before = held()
    trim_memory()
    assert before - held() > 30_000_000
    assert all(array[-1] == 1 for array in kept)
