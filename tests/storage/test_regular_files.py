"""Only regular files are read, and no more of them than the limit."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from onnxdissect.storage.regular_files import RefusedFileError, open_regular_file, read_regular_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, devices and links of Unix")


def refusal(path: Path, limit: int = 1 << 20, inside: Path | None = None) -> str:
    with pytest.raises(RefusedFileError) as caught:
        read_regular_file(path, limit, inside=inside)
    assert caught.value.filename == str(path)
    return str(caught.value.strerror)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
def test_a_file_is_read_whole_up_to_the_limit(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "f").write_bytes(content)
    assert read_regular_file(tmp_path / "f", size) == content
    with open_regular_file(tmp_path / "f") as file:
        assert file.read() == content
    if size:
        assert f"it has {size:,} bytes or more; at most {size - 1:,}" in refusal(tmp_path / "f", size - 1)


def test_a_file_that_tells_no_size_is_read_up_to_the_limit() -> None:
    facts = Path("/proc/self/status")
    if not facts.exists():
        pytest.skip("no /proc")
    assert b"Name:" in read_regular_file(facts, 1 << 20)
    assert "at most 10 are read" in refusal(facts, 10)


def test_a_hole_of_a_terabyte_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert "1,099,511,627,776 bytes" in refusal(tmp_path / "sparse")


@pytest.mark.parametrize("linked", [False, True])
def test_what_never_ends_or_never_comes_is_refused(tmp_path: Path, linked: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    kinds = {
        "pipe": "a named pipe",
        "folder": "a folder",
        "/dev/zero": "a device",
        "/dev/urandom": "a device",
    }
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(tmp_path)  # the path of a socket is short
        try:
            bound.bind("socket")
        finally:
            os.chdir(here)
        kinds["socket"] = "a socket"
        for name, words in kinds.items():
            path = tmp_path / name
            if linked:
                path = tmp_path / f"link-{words.replace(' ', '-')}-{len(name)}"
                path.symlink_to(tmp_path / name)
            assert refusal(path) == f"it is {words}, and only regular files are read"


def test_links_may_be_held_to_a_folder(tmp_path: Path) -> None:
    inside, beside = tmp_path / "data", tmp_path / "data2"
    for folder in (inside, beside):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "f").write_bytes(b"content")
    (inside / "near").symlink_to("deep/f")
    (inside / "far").symlink_to(beside / "deep" / "f")
    (inside / "door").symlink_to(beside / "deep")
    (tmp_path / "alias").symlink_to(inside)
    for path in (inside / "deep" / "f", inside / "near", tmp_path / "alias" / "near"):
        assert read_regular_file(path, 10, inside=inside) == b"content"
        assert read_regular_file(path, 10, inside=tmp_path / "alias") == b"content"
    for path in (inside / "far", inside / "door" / "f", inside / ".." / "data2" / "deep" / "f"):
        assert read_regular_file(path, 10) == b"content"
        assert refusal(path, inside=inside) == f"it leads out of {inside}, to {beside / 'deep' / 'f'}"


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a\0b") == "no file can have this name"
    assert refusal(tmp_path / "a\ud800b") == "no file can have this name"
    assert refusal(tmp_path / "a\0b", inside=tmp_path) == "no file can have this name"
    with pytest.raises(OSError, match="too long"):
        read_regular_file(tmp_path / ("x" * 5000), 10)
    with pytest.raises(FileNotFoundError):
        read_regular_file(tmp_path / "nowhere", 10, inside=tmp_path)
    (tmp_path / "ring").symlink_to("ring")
    for inside in (None, tmp_path):
        with pytest.raises(OSError, match="symbolic links"):
            read_regular_file(tmp_path / "ring", 10, inside=inside)
