"""Archives that are not plain files of one data set are refused whole, by what their list says."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxdissect.data.download.unpacking import unpack
from onnxdissect.errors import DownloadError, OnnxDissectError

INDEX = ("b/index.csv", b"image\n")


def zip_of(*files: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return content.getvalue()


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def refused(tmp_path: Path, content: bytes, said: str, *, at_once: bool = True) -> None:
    """Where it is not by the list that it is refused, files may have been unpacked by then."""
    path, out = tmp_path / "x.zip", tmp_path / "out"
    path.write_bytes(content)
    with pytest.raises(DownloadError, match=said):
        unpack(path, out, lambda done, total: None)
    assert out.exists() != at_once
    shutil.rmtree(out, ignore_errors=True)
    assert list(tmp_path.iterdir()) == [path]


def test_files_are_unpacked_without_the_folder_that_all_lie_in(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    stored = zipfile.ZipInfo("b/images/ünï cöde.png")
    path.write_bytes(zip_of(("b/", b""), INDEX, (stored, b"1" * 3_000_000), ("b/images/empty/", b"")))
    seen: list[tuple[int, int]] = []
    unpack(path, tmp_path / "out", lambda done, total: seen.append((done, total)))
    assert (tmp_path / "out" / "index.csv").read_bytes() == INDEX[1]
    assert (tmp_path / "out" / "images" / "ünï cöde.png").read_bytes() == b"1" * 3_000_000
    assert seen == [(1, 2), (2, 2)]
    path.write_bytes(zip_of(("index.csv", b"image\n"), ("images/a", b"1")))
    unpack(path, tmp_path / "plain", lambda done, total: None)
    assert (tmp_path / "plain" / "images" / "a").read_bytes() == b"1"


NAMES = {
    "../evil": "leads out of",
    "b/../../evil": "leads out of",
    "/evil": "leads out of",
    "C:/evil": "leads out of",
    "c:evil": "leads out of",
    "b\\..\\evil": "leads out of",
    "\\\\server\\evil": "leads out of",
    "b//x": "no name of a file on every system",
    "b/./x": "no name of a file on every system",
    "b/x ": "no name of a file on every system",
    "b/ x": "no name of a file on every system",
    "b/x.": "no name of a file on every system",
    "b/x:stream": "no name of a file on every system",
    "b/x\nx": "no name of a file on every system",
    "b/what?": "no name of a file on every system",
    "b/nul": "the name of a device",
    "b/Aux.png": "the name of a device",
    "b/com1.tar.gz": "the name of a device",
    "b/" + "x" * 256: "longer than names of files",
    "b/" + "x/" * 3000 + "x": "longer than names of files",
}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:30])
def test_names_that_lead_out_or_are_none(tmp_path: Path, name: str) -> None:
    refused(tmp_path, zip_of(INDEX, (name, b"1")), NAMES[name])


def test_a_name_with_a_nul_is_not_cut_there(tmp_path: Path) -> None:
    content = zip_of(INDEX, ("b/x.pngQevil", b"1")).replace(b"x.pngQevil", b"x.png\0evil")
    refused(tmp_path, content, "no name of a file on every system")


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (stat.S_IFLNK | 0o777, "is a link"),
        (stat.S_IFIFO | 0o644, "no regular file"),
        (stat.S_IFCHR | 0o644, "no regular file"),
        (stat.S_IFSOCK | 0o644, "no regular file"),
    ],
)
def test_links_and_devices(tmp_path: Path, mode: int, said: str) -> None:
    refused(tmp_path, zip_of(INDEX, (special("b/images", mode), b"/etc")), said)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("b/images/a.png", "b/images/A.png", "one file on some systems"),
        ("b/images/\u00e9.png", "b/images/e\u0301.png", "one file on some systems"),
        ("b/images/stra\u00dfe.png", "b/images/STRASSE.png", "one file on some systems"),
        ("b/images/a.png", "b/Images/b.png", "one path on some systems"),
        ("b/images/a", "b/images/a/b", "is a file and a folder"),
        ("b/images/a/b", "b/images/a", "is a file and a folder"),
        ("b/images/a/b", "b/images/A", "one path on some systems"),
    ],
)
def test_names_that_are_one_on_some_system(tmp_path: Path, one: str, other: str, said: str) -> None:
    refused(tmp_path, zip_of(INDEX, (one, b"1"), (other, b"2")), said)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice(tmp_path: Path) -> None:
    refused(tmp_path, zip_of(INDEX, ("b/a", b"1"), ("b/a", b"2")), "one file on some systems")


@pytest.mark.parametrize(
    "files",
    [
        (),
        (("a.png", b"1"),),
        (INDEX, ("c/a.png", b"1")),
        (("b/c/index.csv", b"1"),),
    ],
)
def test_archives_of_something_else(tmp_path: Path, files: tuple[tuple[str, bytes], ...]) -> None:
    refused(tmp_path, zip_of(*files), "no data set in the Broden layout")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    refused(tmp_path, zip_of(INDEX, ("b/a", bytes(30_000_000))), "more than 200 times as much")


def edited(content: bytes, change: Callable[[zipfile.ZipInfo, bytearray, int], None]) -> bytes:
    """The archive, with the entry of b/a in its list changed."""
    found = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        info = archive.getinfo("b/a")
    change(info, found, content.rindex(b"PK\x01\x02"))
    return bytes(found)


def test_files_that_share_their_bytes(tmp_path: Path) -> None:
    def share(info: zipfile.ZipInfo, found: bytearray, entry: int) -> None:
        struct.pack_into("<I", found, entry + 42, 0)  # the first file's place

    content = edited(zip_of(INDEX, ("b/a", b"1" * 1000)), share)
    refused(tmp_path, content, "lie over one another")


@pytest.mark.parametrize(
    ("claimed", "said"),
    [(999, "no sound ZIP archive|has more"), (1001, "has 1,000"), ((1 << 30) + 1, "at most 1,073,741,824")],
)
def test_files_of_another_size_than_the_list_claims(tmp_path: Path, claimed: int, said: str) -> None:
    def claim(info: zipfile.ZipInfo, found: bytearray, entry: int) -> None:
        struct.pack_into("<I", found, entry + 24, claimed)

    content = edited(zip_of(INDEX, ("b/a", b"1" * 1000)), claim)
    refused(tmp_path, content, said, at_once=claimed > 1 << 30)


def test_encrypted_files_and_other_compressions(tmp_path: Path) -> None:
    def encrypt(info: zipfile.ZipInfo, found: bytearray, entry: int) -> None:
        struct.pack_into("<H", found, entry + 8, info.flag_bits | 1)

    refused(tmp_path, edited(zip_of(INDEX, ("b/a", b"1")), encrypt), "is encrypted")
    other = zipfile.ZipInfo("b/a")
    other.compress_type = zipfile.ZIP_LZMA
    refused(tmp_path, zip_of(INDEX, (other, b"1")), "compressed by method 14")


def test_damaged_archives(tmp_path: Path) -> None:
    stored = zipfile.ZipInfo("b/a")
    content = zip_of(INDEX, (stored, b"0123456789"))
    refused(
        tmp_path, content.replace(b"0123456789", b"0123456780"), "no sound ZIP archive: .*CRC", at_once=False
    )
    refused(tmp_path, content[:-30], "no sound ZIP archive")
    refused(tmp_path, b"", "no sound ZIP archive")
    refused(tmp_path, bytes(100_000), "no sound ZIP archive")
    refused(tmp_path, content.replace(b"PK\x03\x04", b"PK\x03\x05"), "no sound ZIP archive", at_once=False)


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 2000),
)
def test_whatever_is_changed_of_an_archive_nothing_wrong_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    files = {"index.csv": b"image\n", "images/a.png": bytes(range(256)) * 3, "images/b/c.jpg": b"0" * 40}
    content = bytearray(zip_of(*((f"b/{name}", data) for name, data in files.items())))
    for place, value in changes:
        content[place % len(content)] = value
    folder = tmp_path_factory.mktemp("changed")
    (folder / "x.zip").write_bytes(content[: len(content) - (cut if cut < 30 else 0)])
    try:
        unpack(folder / "x.zip", folder / "out", lambda done, total: None)
    except OnnxDissectError:
        pass
    else:
        found = [path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()]
        assert set(found) <= set(files.values())
    assert {path.name for path in folder.iterdir()} <= {"x.zip", "out"}
    shutil.rmtree(folder)


def test_a_list_that_claims_to_be_endless(tmp_path: Path) -> None:
    # of a file that is large, though there is nothing in it
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, 1 << 28, 0, 0)
    path = tmp_path / "x.zip"
    with path.open("wb") as file:
        file.truncate(1 << 28)
        file.seek(0, 2)
        file.write(end)
    with pytest.raises(DownloadError, match=r"list of files has 256\.0 MiB; at most 128\.0 MiB"):
        unpack(path, tmp_path / "out", lambda done, total: None)


def test_a_list_of_more_files_than_are_unpacked(tmp_path: Path) -> None:
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 6, *[0] * 3, *[0] * 5, 0, 0)
    entries = entry * 1_000_001
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(entries), 0, 0)
    path = tmp_path / "x.zip"
    path.write_bytes(entries + end)
    with pytest.raises(DownloadError, match="lists 1,000,001 files; at most 1,000,000"):
        unpack(path, tmp_path / "out", lambda done, total: None)
