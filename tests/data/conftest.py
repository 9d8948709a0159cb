"""Fixtures of the data tests; their helper modules lie beside this file."""

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sgdiffusion.data.web import Policy

sys.path.insert(0, str(Path(__file__).parent))

from scripted_site import Site
from tiny_sets import CIFAR, IDX

from sgdiffusion.data.sets import RealSet


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def dead_address() -> str:
    """An address where nothing listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()
    return f"http://127.0.0.1:{server.server_port}"


class Rests(list[float]):
    """Stands in for sleep: notes the rests instead of resting."""

    def policy(self, tries: int = 3) -> Policy:
        return Policy(tries=tries, backoff=1.0, connect_timeout=2.0, read_timeout=1.0, sleep=self.append)


@pytest.fixture
def rests() -> Rests:
    return Rests()


@pytest.fixture(params=[IDX, CIFAR], ids=["idx", "cifar"])
def spec(request: pytest.FixtureRequest) -> RealSet:
    return request.param
