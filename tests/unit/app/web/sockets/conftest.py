"""Models and clients, published once for all tests of sockets, and where clients are received anew for each."""

from collections.abc import Iterator

import pytest

from tests.factories.conversations import Parlour, Talk
from tests.factories.lobbies import Lobby, furnish
from tests.factories.web import WebWorker, make_worker


@pytest.fixture(scope="package")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorker]:
    """A web worker with models for streams and without Redis; tests leave its models and clients as they are."""
    worker = make_worker(tmp_path_factory.mktemp("sockets"))
    furnish(worker)
    yield worker
    worker.services.close()


@pytest.fixture
def lobby(furnished: WebWorker) -> Lobby:
    return Lobby(furnished)


@pytest.fixture
def parlour(lobby: Lobby) -> Iterator[Parlour]:
    parlour = Parlour(lobby)
    yield parlour
    parlour.close()


@pytest.fixture
def talk(parlour: Parlour) -> Talk:
    """A conversation about payments whose client has not said hello yet."""
    return parlour.talk()
