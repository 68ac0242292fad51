"""A server that publishes an archive, well or badly.

::

    with publishing(zipped(folder)) as server:
        server.drops = [1000]  # the first answer ends after 1,000 bytes
        called(tmp_path, "data", "download", "broden1_224", "b", "--from", server.address)

As a proxy it answers for every other server as well, as the documents' commands need it.
"""

from __future__ import annotations

import contextlib
import io
import re
import socket
import ssl
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = "broden1_224"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def zipped(folder: Path, prefix: str = f"{NAME}/") -> bytes:
    """A folder as an archive, all of it in one folder as published archives have it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{prefix}{path.relative_to(folder).as_posix()}")
    return content.getvalue()


@dataclass
class Publisher:
    """What is published, and how the server answers. Lists hold what the first answers do."""

    content: bytes
    address: str = ""
    etag: str = '"one"'
    modified: str = "Tue, 01 Aug 2017 10:00:00 GMT"
    ranges: bool = True
    conditions: bool = True  # whether If-Range is obeyed
    drops: list[int] = field(default_factory=list)  # bytes after which the connection ends
    statuses: list[int] = field(default_factory=list)
    stalls: list[float] = field(default_factory=list)  # seconds in the middle of the file
    announced: int | None = None  # instead of the size of the file
    part: str = ""  # instead of the right Content-Range
    encoding: str = ""
    chunked: bool = False
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # paths, and the parts that were asked for

    @property
    def parts(self) -> list[str]:
        return [part for _, part in self.asked]


class _Handler(BaseHTTPRequestHandler):
    publisher: Publisher

    def do_GET(self) -> None:
        publisher = self.publisher
        wanted = self.headers.get("Range", "")
        publisher.asked.append((self.path, wanted))
        self.close_connection = True
        if self.path in publisher.redirects:
            return self._head(302, Location=publisher.redirects[self.path])
        if publisher.statuses and (status := publisher.statuses.pop(0)) != 200:
            return self._head(status, **{"Retry-After": "0", "Content-Length": "0"})
        condition = self.headers.get("If-Range", "")
        found = re.fullmatch(r"bytes=(\d+)-", wanted) if publisher.ranges else None
        if publisher.conditions and condition not in (publisher.etag, publisher.modified):
            found = None
        return self._send(int(found[1]) if found else None)

    def _send(self, start: int | None) -> None:
        publisher = self.publisher
        content, size = publisher.content[start or 0 :], len(publisher.content)
        if start is not None and start >= size:
            return self._head(416, **{"Content-Range": f"bytes */{size}"})
        announced = len(content) if publisher.announced is None else publisher.announced - (start or 0)
        headers = {"ETag": publisher.etag, "Last-Modified": publisher.modified}
        headers |= {"Content-Encoding": publisher.encoding} if publisher.encoding else {}
        if publisher.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(announced)
        if start is not None:
            headers["Content-Range"] = publisher.part or f"bytes {start}-{size - 1}/{size}"
        self._head(200 if start is None else 206, **{k: v for k, v in headers.items() if v})
        kept = publisher.drops.pop(0) if publisher.drops else None
        pause = publisher.stalls.pop(0) if publisher.stalls else 0.0
        with contextlib.suppress(OSError):  # whoever asked may have gone
            self._body(content[:kept], pause)
            if kept is not None:
                self.connection.shutdown(socket.SHUT_RDWR)
            elif publisher.chunked:
                self.wfile.write(b"0\r\n\r\n")
        return None

    def _body(self, content: bytes, pause: float) -> None:
        half = len(content) // 2
        for piece in (content[:half], content[half:]):
            if self.publisher.chunked:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            else:
                self.wfile.write(piece)
            time.sleep(pause)

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever asked may have gone."""


@contextlib.contextmanager
def publishing(content: bytes, encrypted: ssl.SSLContext | None = None) -> Iterator[Publisher]:
    """Publish an archive as long as the body runs."""
    publisher = Publisher(content)
    handler = type("Handler", (_Handler,), {"publisher": publisher, "protocol_version": "HTTP/1.1"})
    with _Server(("127.0.0.1", 0), handler) as server:
        if encrypted is not None:
            server.socket = encrypted.wrap_socket(server.socket, server_side=True)
        scheme = "http" if encrypted is None else "https"
        publisher.address = f"{scheme}://127.0.0.1:{server.server_port}/data/{NAME}.zip"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield publisher
        finally:
            server.shutdown()
            thread.join()
