"""A published archive of a small drawn data set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.datasets import street, write_broden
from support.publishing import PROXIES, Publisher, publishing, zipped


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return zipped(write_broden(tmp_path_factory.mktemp("published") / "street", street()))


@pytest.fixture
def server(archive: bytes) -> Iterator[Publisher]:
    with publishing(archive) as publisher:
        yield publisher
