"""Files appear whole or not at all."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxdissect.errors import OutputError
from onnxdissect.storage.files import (
    free_bytes,
    make_folder,
    replacing,
    sweep_partial,
    write_bytes,
    write_csv,
    write_output,
    write_text,
)

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_pipes_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match=r"cannot write .*pipe: it is a named pipe"):
        write_text(pipe, "a file")
    with pytest.raises(OutputError, match=r"cannot write .*pipe: No such device"):
        write_output(pipe, b"nobody reads")
    content = b"somebody reads" * 100_000
    with (tmp_path / "read").open("wb") as read, subprocess.Popen(["cat", pipe], stdout=read):
        while True:
            try:
                write_output(pipe, content)
                break
            except OutputError:  # not yet
                time.sleep(0.01)
    assert (tmp_path / "read").read_bytes() == content
    assert pipe.is_fifo()
    # a link to a terminal, as /dev/stdout may be one
    leader, follower = os.openpty()
    link.symlink_to(os.ttyname(follower))
    write_output(link, b"shown")
    assert os.read(leader, 100) == b"shown"
    assert link.is_symlink()
    # but within a folder of a stranger's
    write_text(link, "kept")
    assert not link.is_symlink()
    assert link.read_text() == "kept"
    assert names(tmp_path) == ["link", "pipe", "read"]
    os.close(leader)
    os.close(follower)


def test_a_file_is_replaced_by_an_output(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write_output(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the system has no sockets with names")
def test_sockets_are_refused() -> None:
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        path = Path(folder) / "s"
        listening.bind(str(path))
        for write in (write_bytes, write_output):
            with pytest.raises(OutputError, match="it is a socket"):
                write(path, b"text")
        assert path.is_socket()


def test_names_that_are_no_text_are_written(tmp_path: Path) -> None:
    """Bytes of names that are UTF-8 after all, as an ASCII locale has them, come out right."""
    name = "ü".encode().decode("ascii", "surrogateescape") + "-\udcff-\ud800-\udfff"
    write_text(tmp_path / "table.csv", name)
    assert (tmp_path / "table.csv").read_text(encoding="utf-8") == "ü-\ufffd-\ufffd-\ufffd"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "table.csv", "old")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "table.csv") as file:
        file.write(b"half of the n")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["table.csv"]
    assert (tmp_path / "table.csv").read_text() == "old"


def test_nothing_is_seen_under_the_name_before_the_end(tmp_path: Path) -> None:
    with replacing(tmp_path / "table.csv") as file:
        file.write(b"half")
        file.flush()
        (partial,) = names(tmp_path)
        assert partial.startswith("table.csv.") and partial.endswith(".partial")
    assert names(tmp_path) == ["table.csv"]


def test_leftovers_are_swept(tmp_path: Path) -> None:
    (tmp_path / "table.csv.0badcafe.partial").write_text("half")
    write_bytes(tmp_path / "table.csv", b"whole")
    sweep_partial(tmp_path)
    assert names(tmp_path) == ["table.csv"]


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"cannot write .*file.table\.csv"):
        write_text(tmp_path / "file" / "table.csv", "")
    with pytest.raises(OutputError, match=r"cannot make the folder .*file.run"):
        make_folder(tmp_path / "file" / "run")
    with pytest.raises(OutputError, match=r"file is there and is no folder") as caught:
        make_folder(tmp_path / "file")
    assert caught.value.hint is not None and "move" in caught.value.hint


def test_a_folder_that_leads_out_is_not_made(tmp_path: Path) -> None:
    for name in ("run", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "run" / "rotation").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"rotation/figures leads out of .*run, to .*elsewhere"):
        make_folder(tmp_path / "run" / "rotation" / "figures", inside=tmp_path / "run")
    assert not list((tmp_path / "elsewhere").iterdir())
    (tmp_path / "link").symlink_to(tmp_path / "run")
    assert make_folder(tmp_path / "link" / "page", inside=tmp_path / "link").is_dir()


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
@settings(deadline=None)
def test_tables_read_back(rows: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_csv(path, ["one", "two"], rows)
        with path.open(encoding="utf-8", newline="") as file:
            assert [tuple(row) for row in csv.reader(file)] == [("one", "two"), *rows]


@given(st.floats(allow_nan=False), st.floats(allow_nan=False, width=32))
@settings(deadline=None)
def test_floats_read_back_exactly(value: float, short: float) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_csv(path, ["a", "b", "c"], [[value, np.float64(value), np.float32(short)]])
        _, row = path.read_text().splitlines()
        a, b, c = row.split(",")
        assert float(a) == float(b) == value
        assert float(c) == short


def test_cells_are_plain(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["a", "b", "c", "d"], [[True, np.False_, None, np.int64(3)]])
    assert (tmp_path / "t.csv").read_bytes() == b"a,b,c,d\ntrue,false,,3\n"


def test_free_room_is_that_of_the_disk_whether_or_not_the_path_exists(tmp_path: Path) -> None:
    here, later = free_bytes(tmp_path), free_bytes(tmp_path / "not" / "yet" / "there")
    assert here > 0
    assert abs(here - later) < max(2**30, here // 100)
