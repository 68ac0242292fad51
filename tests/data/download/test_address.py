"""Which addresses are asked, and where a server may send the request on to."""

from __future__ import annotations

import pytest

from onnxdissect.data.download.address import checked_address, redirected, shown_address
from onnxdissect.data.download.published import PUBLISHED
from onnxdissect.errors import DownloadError, ParameterError


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        *((address, address) for address in PUBLISHED.values()),
        ("HTTPS://Host:8080/a b/ö.zip?x=1&y=ö#part", "https://Host:8080/a%20b/%C3%B6.zip?x=1&y=%C3%B6"),
        ("http://host", "http://host/"),
        ("http://münchen.example/x", "http://xn--mnchen-3ya.example/x"),
        ("http://[::1]:80/x%20y", "http://[::1]:80/x%20y"),
    ],
)
def test_addresses(text: str, asked: str) -> None:
    assert checked_address(text) == asked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "file:///x",
        "ftp://host/x",
        "http:",
        "http:///x",
        "http://a b/",
        "http://h:x/",
        "http://u:p@h/",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ParameterError) as error:
        checked_address(text)
    assert error.value.hint is not None and "--from" in error.value.hint


def test_what_began_encrypted_does_not_go_on_in_the_clear() -> None:
    one, other = "https://a/x?key=1", "http://b/y?key=2"
    with pytest.raises(
        DownloadError, match=r"https://a/x sends .* http://b/y: a download that began encrypted"
    ):
        redirected(one, other, began=one)
    # from the clear to encrypted, and back: it is as it began
    assert redirected(other, one, began=other) == one
    assert redirected(one, other, began=other) == other
    assert redirected("https://a/b/c", "d", began=one) == "https://a/b/d"


def test_keys_in_a_query_are_not_shown() -> None:
    assert shown_address("https://a/x?key=1") == "https://a/x"
