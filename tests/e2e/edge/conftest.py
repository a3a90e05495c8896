"""A stack that trusts one proxy, and nginx in front of it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.factories.nginx import Nginx, running_nginx
from tests.factories.stack import Stack, free_port, running_stack

CONSOLE = "https://console.example"


@pytest.fixture(scope="package")
def guarded(stack: Stack) -> Iterator[Stack]:
    """A stack as it stands behind nginx, with one web worker: all callers share what connections it has."""
    variables = {"TRUSTED_PROXIES": "1", "WEB_WORKERS": "1", "CORS_ORIGINS": CONSOLE}
    with running_stack(stack, variables=variables) as other:
        yield other


@pytest.fixture(scope="package")
def nginx(guarded: Stack) -> Iterator[Nginx]:
    """The nginx in front of `guarded`."""
    with running_nginx(guarded.port) as nginx:
        yield nginx


@pytest.fixture(scope="package")
def token(guarded: Stack) -> str:
    """A token of a client that may ask for answers."""
    return guarded.new_clients_token()


@pytest.fixture
def caller(nginx: Nginx, token: str) -> Iterator[httpx.Client]:
    """That client, calling through nginx."""
    with nginx.client(token) as caller:
        yield caller


@pytest.fixture(scope="module")
def alone() -> Iterator[Nginx]:
    """An nginx with nothing behind it."""
    with running_nginx(free_port()) as nginx:
        yield nginx
