"""Packed files behind addresses: only ranges of them are fetched, and what goes wrong is told."""

from __future__ import annotations

import importlib.util
import pickle
import re
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import called
from support.datasets import random_broden, write_broden

from onnxdissect.data import PackedDataset, check_packed, open_data, open_dataset, pack_dataset
from onnxdissect.data.packed.remote import web
from onnxdissect.errors import (
    DataError,
    DataFormatError,
    DataNotFoundError,
    InstallationError,
    ParameterError,
)

FSSPEC = importlib.util.find_spec("fsspec") is not None
Range = tuple[int, int]


class Server(ThreadingHTTPServer):
    """Serves one file by ranges.

    Attributes
    ----------
    content : bytes
    asked : list of (int, int)
        Offset and count of each range.
    fault : callable or None
        Called with each request; answers it in place of the server where it gives True.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.asked: list[Range] = []
        self.fault: Callable[[Handler], bool] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/deep/small.packed"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.server.fault is not None and self.server.fault(self):
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        assert found is not None and self.headers["Accept-Encoding"] == "identity"
        first, last = int(found[1]), int(found[2])
        self.server.asked.append((first, last - first + 1))
        self.answer(
            206, self.server.content[first : last + 1], f"bytes {first}-{last}/{len(self.server.content)}"
        )

    def answer(self, status: int, content: bytes = b"", told: str | None = None, **headers: str) -> bool:
        self.send_response(status)
        if told is not None:
            self.send_header("Content-Range", told)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return True

    def log_message(self, *words: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole")
    folder = write_broden(place / "small", random_broden(3, pictures=12))
    return pack_dataset(open_dataset(folder), place / "small.packed").path


@pytest.fixture(autouse=True)
def _without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server(whole: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(web, "_PAUSES", (0.0, 0.0))
    with Server(whole.read_bytes()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def same(found: Any, whole: Path) -> None:
    expected = open_dataset(whole.with_name("small"))
    assert found.fingerprint == expected.fingerprint
    for i in range(len(expected)):
        np.testing.assert_array_equal(found.read_image(i), expected.read_image(i))
        np.testing.assert_array_equal(found.read_annotation(i).planes, expected.read_annotation(i).planes)


def test_a_file_of_the_web_is_the_same(server: Server, whole: Path) -> None:
    packed = open_data(server.address)
    assert isinstance(packed, PackedDataset)
    assert packed.source == {"spec": server.address}
    assert packed.name == "small"
    # the size, the preamble, the header and a range for each section
    assert len(server.asked) <= 16
    same(packed, whole)
    assert check_packed(packed).ok


def test_only_what_is_asked_for_is_fetched(server: Server) -> None:
    packed = open_data(server.address)
    before = len(server.asked)
    assert isinstance(packed, PackedDataset)
    packed.read_image(7)
    image = packed.records[7]
    assert server.asked[before:] == [(int(image["image"]), int(image["image_bytes"]))]


def test_other_processes_ask_again(server: Server, whole: Path) -> None:
    packed = open_data(server.address)
    copied = pickle.loads(pickle.dumps(packed))
    before = len(server.asked)
    same(copied, whole)
    assert len(server.asked) > before
    copied = pickle.loads(pickle.dumps(packed))
    server.content += b"\n"
    with pytest.raises(DataFormatError, match="was changed while it was read: it has"):
        copied.read_image(0)


def test_commands_take_an_address(server: Server, tmp_path: Path) -> None:
    said = called(tmp_path, "data", "info", server.address)
    assert said.returncode == 0, said.stderr
    assert f"small ({server.address})" in said.stdout
    assert called(tmp_path, "data", "check", server.address).returncode == 0


# servers and lines that fail


def refused(server: Server, fault: Callable[[Handler], bool], kind: type[Exception], match: str) -> Exception:
    server.fault = fault
    with pytest.raises(kind, match=match) as caught:
        open_data(server.address)
    assert server.address in str(caught.value)
    return caught.value


def test_what_is_not_there(server: Server) -> None:
    refused(server, lambda asked: asked.answer(404), DataNotFoundError, "the server answers 404")
    refused(server, lambda asked: asked.answer(403), DataError, r"the server answers 403 \(Forbidden\)")
    refused(server, lambda asked: asked.answer(416), DataError, "the server answers 416")


def test_a_server_without_ranges(server: Server) -> None:
    error = refused(
        server,
        lambda asked: asked.answer(200, server.content),
        DataFormatError,
        "gives no parts of a file: it answers 200",
    )
    assert "download the file, then --data FILE" in str(error)


@pytest.mark.parametrize(
    "told", ["bytes 1-1/99", "bytes 0-5/99", "bytes 0-0/*", "0-0/99", "", "bytes 0-0/" + "9" * 40]
)
def test_another_range_than_was_asked_for(server: Server, told: str) -> None:
    refused(server, lambda asked: asked.answer(206, b"x", told), DataFormatError, "gives another range than")


def test_another_file(server: Server) -> None:
    server.content = b"<html>" * 1000
    with pytest.raises(DataNotFoundError, match="is a file, and no packed data set"):
        open_data(server.address)
    server.content = b"x"
    with pytest.raises(DataNotFoundError, match="is a file, and no packed data set"):
        open_data(server.address)


def test_what_fails_for_the_moment_is_tried_again(server: Server, whole: Path) -> None:
    lock, counted = threading.Lock(), [0]

    def fails(asked: Handler) -> bool:
        with lock:
            counted[0] += 1
            number = counted[0] % 3
        if number == 1:
            return asked.answer(503)
        if number == 2:
            asked.send_response(206)
            asked.send_header(
                "Content-Range", asked.headers["Range"].replace("=", " ") + f"/{len(server.content)}"
            )
            asked.send_header("Content-Length", "100000")
            asked.end_headers()
            asked.wfile.write(b"")
            return True  # and the line breaks off
        return False

    server.fault = fails
    packed = open_data(server.address)
    assert isinstance(packed, PackedDataset)
    for i in range(3):
        packed.read_image(i)
    assert counted[0] >= 3 * len(server.asked)


def test_what_fails_again_and_again_is_told(server: Server) -> None:
    times = []

    def busy(asked: Handler) -> bool:
        times.append(1)
        return asked.answer(503)

    refused(server, busy, DataError, "the server answers 503")
    assert len(times) == 3


def babbled(asked: Handler) -> bool:
    asked.wfile.write(b"\x1b[31mgood day\r\n\r\n")
    asked.close_connection = True
    return True


@pytest.mark.parametrize("fault", [babbled, lambda asked: asked.answer(302, Location=asked.path)])
def test_what_a_server_says_is_one_line_of_the_message(
    server: Server, fault: Callable[[Handler], bool]
) -> None:
    server.fault = fault
    with pytest.raises(DataError) as caught:
        open_data(server.address)
    assert caught.value.message.startswith(f"cannot read {server.address}: ")
    assert caught.value.message.isprintable()


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_PAUSES", ())
    with Server(b"") as closed:
        address = closed.address
    with pytest.raises(DataError, match=f"cannot read {address}: .*refused") as caught:
        open_data(address)
    assert caught.value.hint is not None and "the same command again" in caught.value.hint


def test_redirects_are_followed(server: Server, whole: Path) -> None:
    def moved(asked: Handler) -> bool:
        if asked.path == "/old":
            return asked.answer(302, Location=server.address)
        return False

    server.fault = moved
    same(open_data(server.address.replace("/deep/small.packed", "/old")), whole)


def test_damage_on_the_way_is_found(server: Server) -> None:
    packed = open_data(server.address)
    assert isinstance(packed, PackedDataset)
    content = bytearray(server.content)
    content[int(packed.records[2]["image"]) + 5] ^= 1
    server.content = bytes(content)
    with pytest.raises(DataError, match="is damaged: the checksum is wrong"):
        packed.read_image(2)


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("http://user:secret@127.0.0.1/x", ParameterError, "holds a password"),
        ("s3://user:secret@bucket/x", ParameterError, "holds a password"),
        ("http://127.0.0.1:port/x", DataError, "nonnumeric port"),
        ("http://[/x", ParameterError, "cannot be asked for"),
        ("http:///x", DataError, "no host given"),
        (f"http://{'a' * 70}.invalid/x", ParameterError, "cannot be asked for"),
    ],
)
def test_addresses_that_are_none(
    address: str, kind: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_PAUSES", ())
    with pytest.raises(kind, match=said) as caught:
        open_data(address)
    assert "secret" not in str(caught.value)


# fsspec


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(
        InstallationError, match=r"s3://bucket/x is read by fsspec, which is not installed"
    ) as caught:
        open_data("s3://bucket/x")
    assert caught.value.hint is not None
    assert 'pip install "onnxdissect[remote]"' in caught.value.hint and "s3fs" in caught.value.hint


@pytest.mark.skipif(not FSSPEC, reason="fsspec is not installed")
@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_a_file_by_fsspec_is_the_same(whole: Path, scheme: str) -> None:
    import fsspec

    address = f"file://{whole}"
    if scheme == "memory":
        address = "memory://deep/small.packed"
        with fsspec.open(address, "wb") as file:
            file.write(whole.read_bytes())
    packed = open_data(address)
    assert packed.source == {"spec": address}
    same(packed, whole)
    same(pickle.loads(pickle.dumps(packed)), whole)
    assert isinstance(packed, PackedDataset) and check_packed(packed).ok


@pytest.mark.skipif(not FSSPEC, reason="fsspec is not installed")
def test_what_fsspec_cannot_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="there is no memory://nowhere"):
        open_data("memory://nowhere")
    with pytest.raises(DataNotFoundError, match="there is no file:///nowhere/x"):
        open_data("file:///nowhere/x")
    with pytest.raises(
        DataNotFoundError, match="fsspec knows no addresses that begin with memry://"
    ) as caught:
        open_data("memry://x")
    assert caught.value.candidates[0] == "memory://"
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(DataNotFoundError, match="is empty, and no packed data set"):
        open_data(f"file://{tmp_path / 'empty'}")
    if importlib.util.find_spec("s3fs") is None:
        with pytest.raises(
            InstallationError, match="s3://bucket/x needs a library that is not installed"
        ) as missing:
            open_data("s3://bucket/x")
        assert missing.value.hint == "pip install s3fs"
