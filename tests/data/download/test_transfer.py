"""A file comes whole and right from a server that drops, stalls, lies or changes its mind, or not at all."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.publishing import Publisher

from onnxdissect.data import Patience, Watch
from onnxdissect.data.download.transfer import fetch
from onnxdissect.errors import DownloadError, OutputError

QUICK = Patience(timeout=5, tries=3, pause=0)


class Told:
    """What a download says of itself."""

    def __init__(self) -> None:
        self.bytes: list[tuple[int, int | None]] = []
        self.said: list[str] = []
        self.watch = Watch(lambda done, total: self.bytes.append((done, total)), say=self.said.append)


def fetched(server: Publisher, folder: Path, told: Told | None = None, patience: Patience = QUICK) -> bytes:
    folder.mkdir(exist_ok=True)
    found = fetch(server.address, folder, patience=patience, watch=(told or Told()).watch)
    return found.path.read_bytes()


def test_an_archive_comes_in_one_piece(server: Publisher, tmp_path: Path) -> None:
    told = Told()
    assert fetched(server, tmp_path, told) == server.content
    size = len(server.content)
    assert told.bytes[0] == (0, size) and told.bytes[-1] == (size, size)
    assert not told.said
    assert server.asked == [("/data/broden1_224.zip", "")]
    # one that is whole is not asked for again
    assert fetched(server, tmp_path) == server.content
    assert len(server.asked) == 1


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drops=st.lists(st.integers(1, 900), max_size=4), chunked=st.booleans())
def test_it_goes_on_where_the_connection_ended(
    server: Publisher, tmp_path_factory: pytest.TempPathFactory, drops: list[int], chunked: bool
) -> None:
    server.drops, server.chunked = list(drops), chunked
    server.asked.clear()
    told = Told()
    assert fetched(server, tmp_path_factory.mktemp("work"), told) == server.content
    offsets = [sum(drops[:i]) for i in range(len(drops) + 1)]
    expected = [f"bytes={offset}-" if offset else "" for offset in offsets]
    if not chunked:  # of a chunk that is cut, the beginning may be lost
        assert server.parts == expected
        assert [text.partition(";")[0] for text in told.said] == [
            f"the connection ended after {offset:,} of {len(server.content):,} bytes"
            for offset in offsets[1:]
        ]


def test_a_later_call_goes_on_from_a_part(server: Publisher, tmp_path: Path) -> None:
    server.drops = [700, 0, 0, 0]
    with pytest.raises(
        DownloadError, match=r"the last 3 attempts got no further than 700 of \d,\d+ bytes"
    ) as error:
        fetched(server, tmp_path)
    assert error.value.hint == "the same command goes on from 700 bytes"
    assert (tmp_path / "archive.zip").read_bytes() == server.content[:700]
    server.asked.clear()
    server.drops.clear()
    told = Told()
    assert fetched(server, tmp_path, told) == server.content
    assert server.parts == ["bytes=700-"]
    assert told.bytes[0] == (700, len(server.content))


@pytest.mark.parametrize("etag", ['W/"weak"', ""])
def test_the_date_asks_for_the_rest_where_no_name_of_the_content_does(
    server: Publisher, tmp_path: Path, etag: str
) -> None:
    server.etag = etag
    server.drops = [500]
    assert fetched(server, tmp_path) == server.content
    assert server.parts == ["", "bytes=500-"]


def test_without_anything_to_know_the_content_by_it_starts_over(server: Publisher, tmp_path: Path) -> None:
    server.etag = server.modified = ""
    server.drops = [500]
    told = Told()
    assert fetched(server, tmp_path, told) == server.content
    assert server.parts == ["", ""]
    assert "nothing says that the rest would be of the same file" in told.said[-1]


def test_a_server_that_gives_no_parts_starts_over(server: Publisher, tmp_path: Path) -> None:
    server.ranges = False
    server.drops = [500, 900]
    told = Told()
    assert fetched(server, tmp_path, told) == server.content
    assert server.parts == ["", "bytes=500-", "bytes=900-"]
    assert "it starts over" in told.said[1]


@pytest.mark.parametrize("conditions", [True, False])
def test_content_that_changed_between_tries_is_not_put_together(
    server: Publisher, tmp_path: Path, conditions: bool
) -> None:
    server.drops = [500, 0, 0]
    with pytest.raises(DownloadError):
        fetched(server, tmp_path)
    server.content = server.content[:600][::-1].replace(b"PK", b"pk") + server.content
    server.content = b"PK\x03\x04" + server.content
    # a server that knows of conditions gives all of it; one that does not, the rest of another file
    server.etag, server.conditions = '"two"', conditions
    assert fetched(server, tmp_path) == server.content


def test_a_name_of_the_content_that_stays_does_not_hide_another_size(
    server: Publisher, tmp_path: Path
) -> None:
    server.drops = [500, 0, 0]
    with pytest.raises(DownloadError):
        fetched(server, tmp_path)
    server.content += b"more"
    told = Told()
    assert fetched(server, tmp_path, told) == server.content
    assert "one of another file" in told.said[0]


@pytest.mark.parametrize(
    "part", ["bytes 0-10/11", "bytes 499-1000/5000", "bytes x", "", "bytes 500-600/99999999999999999999999"]
)
def test_a_part_that_was_not_asked_for_is_not_taken(server: Publisher, tmp_path: Path, part: str) -> None:
    server.drops, server.part = [500], part or " "
    assert fetched(server, tmp_path) == server.content
    assert server.parts == ["", "bytes=500-", ""]


def test_a_server_that_announces_more_than_it_gives(server: Publisher, tmp_path: Path) -> None:
    size = len(server.content)
    server.announced = size + 10
    server.drops = [size] * 9
    with pytest.raises(DownloadError, match="the last 3 attempts got no further than") as error:
        fetched(server, tmp_path)
    assert f"{size:,} of {size + 10:,} bytes" in error.value.message


def test_a_server_that_announces_less_than_it_has_gives_what_it_announced(
    server: Publisher, tmp_path: Path
) -> None:
    # what the archive itself says of that is told when it is unpacked
    server.announced = 300
    assert fetched(server, tmp_path) == server.content[:300]


def test_the_rest_must_not_be_more_than_was_announced(server: Publisher, tmp_path: Path) -> None:
    size = len(server.content)
    server.drops, server.chunked = [], True
    (tmp_path / "archive.zip").write_bytes(server.content[:100])
    known = {"etag": server.etag, "modified": server.modified}
    state = {"address": server.address, **known, "size": size, "whole": False}
    (tmp_path / "state.json").write_text(json.dumps(state))
    server.content += b"more"
    server.part = f"bytes 100-{size - 1}/{size}"
    with pytest.raises(DownloadError, match="gives more than"):
        fetched(server, tmp_path, patience=Patience(tries=1, pause=0))
    assert not (tmp_path / "archive.zip").exists()


@pytest.mark.parametrize("status", [403, 404, 410, 206])
def test_a_server_that_has_no_such_file_is_asked_once(server: Publisher, tmp_path: Path, status: int) -> None:
    server.statuses = [status] * 5
    with pytest.raises(DownloadError, match=f"answers with status {status}") as error:
        fetched(server, tmp_path)
    assert error.value.hint is not None and "--from" in error.value.hint
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(server: Publisher, tmp_path: Path, status: int) -> None:
    server.statuses = [status] * 2
    told = Told()
    assert fetched(server, tmp_path, told) == server.content
    assert [f"is busy (status {status})" in text for text in told.said] == [True, True]
    (tmp_path / "archive.zip").unlink()
    server.statuses = [status] * 9
    with pytest.raises(DownloadError, match="the last 3 attempts"):
        fetched(server, tmp_path)


def test_a_server_may_be_tried_for_days(server: Publisher, tmp_path: Path) -> None:
    server.statuses = [503] * 1100
    with pytest.raises(DownloadError, match="the last 1,100 attempts"):
        fetched(server, tmp_path, patience=Patience(tries=1100, pause=0.0))


def test_a_connection_that_stalls_is_given_up_and_gone_on_with(server: Publisher, tmp_path: Path) -> None:
    server.stalls = [1.5]
    told = Told()
    assert fetched(server, tmp_path, told, Patience(timeout=0.4, tries=3, pause=0)) == server.content
    assert "nothing came from" in told.said[0] and "for 0.4 s" in told.said[0]
    assert server.parts == ["", f"bytes={len(server.content) // 2}-"]


def test_nobody_at_the_address_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}/x.zip"
        with pytest.raises(DownloadError, match=r"no connection to http://127\.0\.0\.1.* refused"):
            fetch(address, tmp_path, patience=Patience(pause=60), watch=Watch())


def test_what_is_no_archive_is_told_from_its_first_bytes(server: Publisher, tmp_path: Path) -> None:
    server.content = b"<!DOCTYPE html>" + bytes(10_000_000)
    with pytest.raises(DownloadError, match=r"is no ZIP archive .*beginning with b'<!DO'"):
        fetched(server, tmp_path)
    server.content = b""
    with pytest.raises(DownloadError, match="an empty file"):
        fetched(server, tmp_path)
    server.encoding = "gzip"
    with pytest.raises(DownloadError, match="encoded"):
        fetched(server, tmp_path)


def test_redirects_are_followed(server: Publisher, tmp_path: Path) -> None:
    server.redirects = {
        "/data/broden1_224.zip": "/elsewhere/a b.zip?key=secret",
        "/elsewhere/a%20b.zip?key=secret": server.address.replace("data", "last"),
    }
    server.drops = [400]
    assert fetched(server, tmp_path) == server.content
    assert server.parts == ["", "", "", "bytes=400-", "bytes=400-", "bytes=400-"]
    assert "secret" not in (tmp_path / "state.json").read_text()


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("/data/broden1_224.zip", "leads in a circle"),
        ("file:///etc/passwd", "is no address of http or https"),
        ("ftp://127.0.0.1/x", "is no address of http or https"),
        ("gopher:", "is no address of http or https"),
        ("https:///x", "names no server"),
        ("http://user:word@127.0.0.1/", "user's name or password"),
        ("http://[half", "is no address"),
        ("http://127.0.0.1:99999999/", "is no address"),
        ("", "not where to"),
    ],
)
def test_redirects_that_lead_nowhere_good(
    server: Publisher, tmp_path: Path, location: str, said: str
) -> None:
    server.redirects = {"/data/broden1_224.zip": location}
    with pytest.raises(DownloadError, match=said):
        fetched(server, tmp_path)
    assert len(server.asked) == 1


def test_redirects_on_and_on(server: Publisher, tmp_path: Path) -> None:
    server.redirects = {"/data/broden1_224.zip": "/0"} | {f"/{i}": f"/{i + 1}" for i in range(100)}
    with pytest.raises(DownloadError, match="on and on: after 10 addresses"):
        fetched(server, tmp_path)
    assert len(server.asked) == 11


@pytest.mark.parametrize(
    "state",
    [
        "{",
        "[]",
        '{"address": 5}',
        '{"address": "ADDRESS", "size": 1}',
        '{"address": "ADDRESS", "etag": 7}',
        '{"address": "ADDRESS", "etag": "\\"one\\"", "size": "many"}',
        '{"address": "http://another/", "etag": "\\"one\\"", "size": null}',
        '{"address": "ADDRESS", "etag": "\\"one\\"", "whole": true, "size": 7}',
        '{"address": "ADDRESS", "etag": "\\"one\\"", "colour": "red"}',
    ],
)
def test_a_note_that_does_not_fit_what_lies_there_starts_over(
    server: Publisher, tmp_path: Path, state: str
) -> None:
    (tmp_path / "archive.zip").write_bytes(b"something")
    (tmp_path / "state.json").write_text(state.replace("ADDRESS", server.address))
    told = Told()
    assert fetched(server, tmp_path, told) == server.content
    assert server.parts == [""]
    assert "are not gone on with" in told.said[0]


def test_a_link_in_the_archives_place_is_not_written_to(server: Publisher, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "archive.zip").symlink_to(tmp_path / "mine")
    with pytest.raises(OutputError, match="is a link"):
        fetched(server, tmp_path / "work")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_size_above_the_limit_or_the_disk_is_refused_before_anything_comes(
    server: Publisher, tmp_path: Path
) -> None:
    server.announced = (1 << 36) + 1
    with pytest.raises(DownloadError, match=r"gives more than 64\.0 GiB"):
        fetched(server, tmp_path)
    server.announced = 1 << 36
    with pytest.raises(OutputError, match=r"its files need at least as much again: 128\.0 GiB more, and"):
        fetched(server, tmp_path)
    assert not (tmp_path / "archive.zip").exists()
