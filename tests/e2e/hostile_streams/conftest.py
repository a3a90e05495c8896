"""One stack for these tests, and the session that they must not disturb."""

from collections.abc import Iterator

import pytest

from tests.factories.stack import Stack, running_stack
from tests.factories.stream_neighbour import Neighbour
from tests.factories.stream_socket import StreamSocket
from tests.factories.waiting import wait_until

# The machine has other things to do; a session that is harmed is silent for as long as the harm lasts.
LONGEST_GAP_S = 20.0


@pytest.fixture(scope="package")
def single(stack: Stack) -> Iterator[Stack]:
    """A stack with one web worker, so that all sockets are neighbours, which waits only a moment for a hello."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAM_HELLO_S", "2")
        patch.setenv("WEB_WORKERS", "1")
        with running_stack(like=stack) as other:
            yield other


@pytest.fixture(scope="package")
def neighbour(single: Stack) -> Iterator[Neighbour]:
    """A session of another client: what one may send in a second is counted by client."""
    neighbour = Neighbour(single.port, single.new_clients_token())
    neighbour.start()
    yield neighbour
    neighbour.end()


@pytest.fixture(autouse=True)
def _nobody_harmed(single: Stack, neighbour: Neighbour) -> Iterator[None]:
    """Fail a test that disturbs the session beside it, or makes the server fail."""
    logged, answered = len(single.log_of("web")), neighbour.answered
    yield
    # One that was asked for before the end, and one after it.
    wait_until(lambda: neighbour.answered > answered + 1 or neighbour.wrong)
    assert neighbour.wrong == []
    assert neighbour.longest_gap_s < LONGEST_GAP_S
    news = single.log_of("web")[logged:]
    assert "Traceback" not in news, news
    assert '"status":500' not in news, news


@pytest.fixture(scope="package")
def token(single: Stack) -> str:
    return single.token()


@pytest.fixture
def socket(single: Stack, token: str) -> Iterator[StreamSocket]:
    """A socket of the fraud stream after its hello."""
    with StreamSocket(single.port) as socket:
        assert socket.greet(token)["type"] == "ready"
        yield socket
