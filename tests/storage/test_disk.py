"""Full disks and limits on files: the message names the file system, what is needed and what is free."""

from __future__ import annotations

import errno
import os
import resource
import signal
from pathlib import Path

import pytest
from support.disks import small_disk

from onnxdissect.errors import OutputError
from onnxdissect.storage.disk import file_system, full_disk, size_text, write_error
from onnxdissect.storage.files import write_bytes


def test_what_may_be_relied_on_is_said(tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    hints = [write_error(tmp_path, error).hint, write_error(tmp_path, error, kept="all is as it was").hint]
    assert [str(hint).rpartition(": ")[2] for hint in hints] == ["what was saved is good", "all is as it was"]


def test_a_full_disk_is_found_behind_what_was_raised_from_it() -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert full_disk(error) is error
    other = OSError(errno.EACCES, os.strerror(errno.EACCES))
    for cause, found in ((error, error), (other, None)):
        try:
            try:
                raise cause
            except OSError as caught:
                raise write_error(Path("file"), caught) from caught
        except OutputError as raised:
            assert full_disk(raised) is found


def test_a_full_disk_is_named_with_what_is_needed_and_free(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 64):
        write_bytes(disk / "kept", b"k" * 20_000)
        with pytest.raises(OutputError) as caught:
            write_bytes(disk / "file", b"x" * 200_000)
        said = str(caught.value)
        assert f"cannot write {disk}/file: No space left on device" in said
        assert f"on the file system {disk}, where 44.0 KiB are free" in said
        assert "it needs more than 44.0 KiB" in said
        assert f"hint: make room on {disk}, then the same command again" in said
        assert sorted(path.name for path in disk.iterdir()) == ["kept"]
        assert (disk / "kept").read_bytes() == b"k" * 20_000


def test_a_limit_on_files_is_named(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"more than the 4\.0 KiB that this") as caught:
            write_bytes(tmp_path / "file", b"x" * 10_000)
        # of a folder of files it is not known how much of one was written
        told = write_error(tmp_path, OSError(errno.EFBIG, "File too large"), doing="write the report")
        assert "more than the 4.0 KiB that this process may write into a file" in told.message
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.hint is not None
    assert "ulimit -f" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_file_that_only_the_file_system_does_not_take(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    told = write_error(tmp_path / "file", OSError(errno.EFBIG, "File too large"), written=4 * 2**30)
    assert f"a file of more than 4.0 GiB, which the file system {file_system(tmp_path)[0]} does not" in str(
        told
    )
    assert told.hint == "choose a folder on another file system"


def test_other_reasons_are_told_as_they_are(tmp_path: Path) -> None:
    error = OSError(errno.EACCES, os.strerror(errno.EACCES))
    told = write_error(tmp_path / "file", error, doing="write the report")
    assert str(told) == "cannot write the report: Permission denied"


def test_file_systems_of_paths_that_are_not_there(tmp_path: Path) -> None:
    mount, free = file_system(tmp_path / "no" / "such" / "folder")
    assert os.path.ismount(mount)
    assert tmp_path.is_relative_to(mount)
    assert free is not None
    assert free > 0
    assert [size_text(size) for size in (512, 3 * 2**19, 5 * 2**30)] == ["0.5 KiB", "1.5 MiB", "5.0 GiB"]
