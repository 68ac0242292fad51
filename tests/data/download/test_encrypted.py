"""Encrypted downloads: a server has to prove who it is, and does not send the request on into the clear."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.publishing import Publisher, publishing

from onnxdissect.data import Patience, Watch
from onnxdissect.data.download.transfer import fetch
from onnxdissect.errors import DownloadError

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates by openssl")

QUICK = Patience(timeout=5, tries=2, pause=0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine's address, and its key, in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    key, own = folder / "key.pem", folder / "own.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(own)]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    own.write_bytes(own.read_bytes() + key.read_bytes())
    return own


@pytest.fixture
def encrypted(archive: bytes, certificate: Path) -> Iterator[Publisher]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with publishing(archive, context) as server:
        yield server


def test_a_server_that_nobody_vouches_for_is_refused(encrypted: Publisher, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="cannot prove to be who it is"):
        fetch(encrypted.address, tmp_path, patience=QUICK, watch=Watch())
    assert not encrypted.asked


def test_one_that_is_vouched_for_goes_on_and_stays_encrypted(
    encrypted: Publisher,
    server: Publisher,
    certificate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    encrypted.drops = [500]
    found = fetch(encrypted.address, tmp_path, patience=QUICK, watch=Watch())
    assert found.path.read_bytes() == encrypted.content and encrypted.parts == ["", "bytes=500-"]
    encrypted.redirects = {"/data/broden1_224.zip": server.address}
    found.path.unlink()
    with pytest.raises(DownloadError, match="does not go on in the clear"):
        fetch(encrypted.address, tmp_path, patience=QUICK, watch=Watch())
    assert not server.asked
    # what began in the clear may become encrypted
    server.redirects = {"/data/broden1_224.zip": encrypted.address}
    encrypted.redirects = {}
    assert fetch(server.address, tmp_path, patience=QUICK, watch=Watch()).path.read_bytes() == server.content
