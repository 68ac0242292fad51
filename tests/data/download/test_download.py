"""`data download` from a server or a file to a data set that opens, and what it leaves where it fails."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from support.commands import called
from support.datasets import Damage, street, write_broden
from support.disks import small_disk
from support.publishing import Publisher, zipped

from onnxdissect.data import Patience, Watch, download_broden, open_dataset
from onnxdissect.errors import DownloadError, OutputError, ParameterError
from onnxdissect.storage.locks import locked

COMMAND = ("data", "download", "broden1_224")
QUICK = Patience(timeout=5, tries=2, pause=0)


def test_it_says_what_it_holds_and_where_it_came_from(server: Publisher, tmp_path: Path) -> None:
    done = called(tmp_path, *COMMAND, "broden", "--from", server.address + "?key=secret")
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256(server.content).hexdigest()
    size = len(server.content)
    assert "data set:     broden (" in done.stdout
    assert "images:       3, 1 of them without annotation" in done.stdout
    assert f"SHA-256:      {digest} (of {size:,} bytes from {server.address})" in done.stdout
    assert done.stderr.count("downloading: ") == done.stderr.count("unpacking: ") == 1
    assert len(open_dataset(tmp_path / "broden")) == 3
    record = json.loads((tmp_path / "broden" / "download.json").read_text())
    assert record == {
        "name": "broden1_224",
        "source": server.address,
        "bytes": size,
        "sha256": digest,
        "etag": '"one"',
        "last_modified": server.modified,
    }
    assert [path.name for path in tmp_path.iterdir()] == ["broden"]
    assert called(tmp_path, "data", "check", "broden").returncode == 0


def test_what_is_there_already_is_not_asked_for_again(server: Publisher, tmp_path: Path) -> None:
    words = (*COMMAND, "broden", "--from", server.address)
    assert called(tmp_path, *words).returncode == 0
    asked = len(server.asked)
    again = called(tmp_path, *words)
    assert again.returncode == 0 and len(server.asked) == asked
    assert "holds broden1_224 already; nothing was downloaded" in again.stderr
    digest = hashlib.sha256(server.content).hexdigest()
    as_json = called(tmp_path, *words, "--json", "--sha256", digest.upper())
    assert as_json.returncode == 0
    told = json.loads(as_json.stdout)
    assert (told["new"], told["sha256"], told["holds"]["images"]) == (False, digest, 3)
    other = called(tmp_path, *words, "--sha256", "0" * 64)
    assert other.returncode == 2 and f"SHA-256 is {digest}" in other.stderr.replace("\n", " ")
    other = called(tmp_path, "data", "download", "broden1_384", "broden")
    assert other.returncode == 2 and "holds 'broden1_224', and broden1_384 was asked for" in other.stderr


def test_a_folder_that_holds_something_else_is_not_touched(server: Publisher, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    write_broden(tmp_path / "own", street())
    (tmp_path / "file").write_text("mine")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "download.json").write_text('{"name": 5}')
    for name, said in (
        ("full", "is not empty and was not downloaded"),
        ("own", "tells what it holds"),
        ("damaged", "was not downloaded"),
        ("file", "Not a directory"),
    ):
        done = called(tmp_path, *COMMAND, name, "--from", server.address)
        assert done.returncode == 2 and said in done.stderr, done.stderr
    assert not server.asked
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "file", "full", "own"]


def test_an_empty_folder_and_a_link_to_one_become_the_data_set(server: Publisher, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    found = download_broden("broden1_224", tmp_path / "link", source=server.address, patience=QUICK)
    assert found.new and found.folder == tmp_path / "elsewhere"
    assert len(open_dataset(tmp_path / "link")) == 3
    found = download_broden("broden1_224", tmp_path / "deep" / "er", source=server.address, patience=QUICK)
    assert len(open_dataset(found.folder)) == 3


def test_a_broken_download_goes_on_with_the_same_command(server: Publisher, tmp_path: Path) -> None:
    server.drops = [900, 0]
    words = (*COMMAND, "broden", "--from", server.address, "--tries", "1")
    done = called(tmp_path, *words)
    assert done.returncode == 2
    assert "the only attempt got no further than 900 of" in done.stderr
    assert "the same command goes on from 900 bytes" in done.stderr
    assert not (tmp_path / "broden").exists() and (tmp_path / "broden.download").exists()
    server.drops.clear()
    assert called(tmp_path, *words).returncode == 0
    assert server.parts == ["", "bytes=900-"]
    assert [path.name for path in tmp_path.iterdir()] == ["broden"]


def test_the_sum_is_compared_before_anything_is_unpacked(server: Publisher, tmp_path: Path) -> None:
    wrong, right = "0" * 64, hashlib.sha256(server.content).hexdigest()
    words = (*COMMAND, "broden", "--from", server.address, "--sha256")
    done = called(tmp_path, *words, wrong)
    assert done.returncode == 2 and f"has the SHA-256 {right}, and {wrong} was asked for" in done.stderr
    assert sorted(path.name for path in (tmp_path / "broden.download").iterdir()) == [
        "archive.zip",
        "lock",
        "state.json",
    ]
    # the sum may have been mistyped: what came is not asked for again
    assert called(tmp_path, *words, right).returncode == 0
    assert len(server.asked) == 1


def test_an_archive_that_is_refused_leaves_nothing(server: Publisher, tmp_path: Path) -> None:
    whole = server.content
    for content, said in (
        (whole[: len(whole) // 2], "no sound ZIP archive"),
        (zipped(write_broden(tmp_path / "x", street()), "a/b/"), "no data set in the Broden layout"),
        (whole.replace(b"label.csv", b"../el.csv"), "leads out of"),
    ):
        server.content = content
        done = called(tmp_path, *COMMAND, "broden", "--from", server.address)
        assert done.returncode == 2 and said in done.stderr, done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["x"]
    # a server that announced too little is told of by what the archive lacks
    server.content, server.announced = whole, len(whole) - 50
    done = called(tmp_path, *COMMAND, "broden", "--from", server.address)
    assert done.returncode == 2 and "no sound ZIP archive" in done.stderr


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (b"<html>log in</html>", "", "no ZIP archive"),
        (b"", "", "gives an empty file"),
        (b"PK\x03\x04", "gzip", "sends the file encoded"),
    ],
)
def test_what_is_no_archive_leaves_nothing(
    server: Publisher, tmp_path: Path, content: bytes, encoding: str, said: str
) -> None:
    server.content, server.encoding = content, encoding
    done = called(tmp_path, *COMMAND, "broden", "--from", server.address)
    assert done.returncode == 2 and said in done.stderr and "lies elsewhere, --from URL" in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_archive_of_tables_that_are_none_is_kept_to_be_looked_at(
    server: Publisher, tmp_path: Path
) -> None:
    server.content = server.content.replace(b"label.csv", b"lable.csv")
    words = (*COMMAND, "broden", "--from", server.address)
    for _ in range(2):
        done = called(tmp_path, *words)
        assert done.returncode == 2 and "has no label.csv" in done.stderr
        assert f"hint: the archive is {tmp_path / 'broden.download' / 'archive.zip'}" in done.stderr
        assert not (tmp_path / "broden").exists() and len(server.asked) == 1
    assert not (tmp_path / "broden.download" / "unpacked").exists()


def test_rows_that_cannot_be_read_keep_nobody_from_the_others(server: Publisher, tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "x", street())
    Damage(folder).replace("index.csv", "24,24,6,8", "24,many,6,8")
    server.content = zipped(folder)
    done = called(tmp_path, *COMMAND, "broden", "--from", server.address)
    assert done.returncode == 0 and "images:       2," in done.stdout
    assert (
        f"1 row of its index cannot be read: onnxdissect data check {tmp_path / 'broden'} --fix"
        in done.stderr
    )
    again = called(tmp_path, *COMMAND, "broden", "--from", server.address)
    assert again.returncode == 0 and "1 row of its index cannot be read" in again.stderr


def test_what_some_systems_add_is_left_out_and_said(server: Publisher, tmp_path: Path) -> None:
    content = io.BytesIO(server.content)
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("__MACOSX/broden1_224/._index.csv", b"x")
        archive.writestr(".DS_Store", b"x")
    server.content = content.getvalue()
    done = called(tmp_path, *COMMAND, "broden", "--from", server.address)
    assert (
        done.returncode == 0 and "2 files beside the data set, as some systems add, left out" in done.stderr
    )
    assert not list((tmp_path / "broden").rglob("._*")) and not list(tmp_path.rglob(".DS_Store"))


def test_an_archive_that_is_here_is_unpacked(server: Publisher, tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_bytes(server.content)
    done = called(tmp_path, *COMMAND, "broden", "--from", "mine.zip")
    assert done.returncode == 0 and "bytes from mine.zip)" in done.stdout, done.stderr
    assert len(open_dataset(tmp_path / "broden")) == 3 and not server.asked
    (tmp_path / "bad.zip").write_bytes(server.content[:1000])
    done = called(tmp_path, *COMMAND, "other", "--from", "bad.zip")
    assert done.returncode == 2 and "no sound ZIP archive" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.zip", "broden", "mine.zip"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("broden1_225", "b"), "candidates: broden1_22"),
        (("pascal", "b"), "no data set is called 'pascal'"),
        (("broden1_224", "b", "--from", "nowhere.zip"), "there is no file 'nowhere.zip'"),
        (("broden1_224", "b", "--from", ""), "there is no file ''"),
        (("broden1_224", "b", "--from", "file:///etc/passwd"), "is no address of http or https"),
        (("broden1_224", "b", "--sha256", "abc"), "64 digits"),
        (("broden1_224", "b", "--timeout", "0"), "seconds above 0"),
        (("broden1_224", "b", "--timeout", "nan"), "seconds above 0"),
        (("broden1_224", "b", "--timeout", "1e300"), "up to 86,400 (a day), not 1e+300"),
        (("broden1_224", "b", "--tries", "0"), "once or more often"),
        (("broden1_224", "/"), "cannot be the folder of a data set"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = called(tmp_path, "data", "download", *words)
    assert done.returncode == 2 and done.stderr.startswith("error:"), done.stderr
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_two_downloads_to_one_folder(server: Publisher, tmp_path: Path) -> None:
    (tmp_path / "b.download").mkdir()
    with locked(tmp_path / "b.download" / "lock"):
        with pytest.raises(OutputError, match="another process downloads to"):
            download_broden("broden1_224", tmp_path / "b", source=server.address)
        # what the other needs stays
        assert (tmp_path / "b.download" / "lock").exists()
    assert not server.asked


def test_a_folder_of_somebody_elses_where_a_download_would_be_kept(server: Publisher, tmp_path: Path) -> None:
    (tmp_path / "b.download").mkdir()
    (tmp_path / "b.download" / "mine").write_text("mine")
    done = called(tmp_path, *COMMAND, "b", "--from", server.address)
    assert done.returncode == 2 and "and holds mine" in done.stderr and not server.asked
    assert [path.name for path in (tmp_path / "b.download").iterdir()] == ["mine"]
    # nor is it touched where the data set is there already
    (tmp_path / "b.download").rename(tmp_path / "kept")
    assert called(tmp_path, *COMMAND, "b", "--from", server.address).returncode == 0
    (tmp_path / "kept").rename(tmp_path / "b.download")
    assert called(tmp_path, *COMMAND, "b", "--from", server.address).returncode == 0
    assert (tmp_path / "b.download" / "mine").read_text() == "mine"


def test_a_disk_without_room(server: Publisher, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 32):
        # what is announced has room; its files, a block each, have not
        with pytest.raises(OutputError, match=r"files need .* are free on") as error:
            download_broden("broden1_224", tmp_path / "disk" / "b", source=server.address, patience=QUICK)
        assert error.value.hint is not None and "the archive is kept" in error.value.hint
        server.announced = 1 << 20
        with pytest.raises(OutputError, match=r"need at least as much again: 2\.0 MiB more"):
            download_broden("broden1_224", tmp_path / "disk" / "c", source=server.address, patience=QUICK)
    with small_disk(tmp_path / "empty", 64), pytest.raises(OutputError, match="disk of its own") as error:
        download_broden("broden1_224", tmp_path / "empty", source=server.address)
    assert error.value.hint == f"a folder on it: {tmp_path / 'empty' / 'broden1_224'}"


def test_a_disk_that_fills_up_keeps_what_came(server: Publisher, tmp_path: Path) -> None:
    server.chunked = True  # so that no size is announced
    server.content = b"PK\x03\x04" + os.urandom(100_000)
    with small_disk(tmp_path / "disk", 64):
        with pytest.raises(OutputError, match="No space left on device") as error:
            download_broden("broden1_224", tmp_path / "disk" / "b", source=server.address, patience=QUICK)
        assert error.value.hint is not None and "it goes on from there" in error.value.hint
        assert (tmp_path / "disk" / "b.download" / "archive.zip").stat().st_size > 10_000


def test_a_program_is_told_how_far_it_is(server: Publisher, tmp_path: Path) -> None:
    came: list[tuple[int, int | None]] = []
    unpacked: list[tuple[int, int]] = []
    watch = Watch(lambda done, total: came.append((done, total)), lambda i, n: unpacked.append((i, n)))
    download_broden("broden1_224", tmp_path / "b", source=server.address, watch=watch)
    assert came[-1] == (len(server.content), len(server.content))
    assert unpacked[-1][0] == unpacked[-1][1] == len(unpacked) > 8
    with pytest.raises(ParameterError):
        Patience(pause=-1)
    server.statuses = [404]
    with pytest.raises(DownloadError):
        download_broden("broden1_224", tmp_path / "c", source=server.address)
    assert not (tmp_path / "c.download").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_keeps_what_came(server: Publisher, tmp_path: Path) -> None:
    server.stalls = [60]
    command = [sys.executable, "-m", "onnxdissect", *COMMAND, "b", "--from", server.address]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        archive, half = tmp_path / "b.download" / "archive.zip", len(server.content) // 2
        deadline = time.monotonic() + 60
        while not (archive.exists() and archive.stat().st_size == half):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.endswith("interrupted; the same command goes on from there\n") and "Traceback" not in said
    done = called(tmp_path, *COMMAND, "b", "--from", server.address)
    assert done.returncode == 0 and server.parts == ["", f"bytes={half}-"]
    assert len(open_dataset(tmp_path / "b")) == 3
