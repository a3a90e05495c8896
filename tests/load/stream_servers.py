"""The servers whose streams are measured: Galley with all that it has, and plain Flask with the state in a dict."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.load.measure import Measured
from tests.load.peers.plain_flask_server import plain_flask
from tests.load.socket_load import StreamTarget
from tests.load.stack import Stack

MODEL = "fraud"
PATH = "/api/v1/fraud/stream"
# Each may have a thousand sockets, and send 10 000 events a second.
CLIENTS = 4
GALLEY, PLAIN = "Galley", "plain Flask"


@dataclass(frozen=True, kw_only=True)
class StreamServer:
    """A server that runs: where its streams are, its processes, and its Redis if it has one."""

    name: str
    target: StreamTarget
    processes: Measured
    redis_url: str = ""


def galley(stack: Stack) -> StreamServer:
    """Return Galley, with new clients, once the demo model answers."""
    stack.wait_for_model(MODEL)
    tokens = [stack.token_of_new_client("infer") for _ in range(CLIENTS)]
    target = StreamTarget(url=stack.url, path=PATH, tokens=tokens)
    return StreamServer(name=GALLEY, target=target, processes=stack, redis_url=stack.redis_url)


@contextmanager
def plain_flask_beside(stack: Stack) -> Iterator[StreamServer]:
    """Serve the stack's model with plain Flask for the length of the block."""
    with plain_flask(Path(stack.environment["VAR_DIR"]) / "store" / MODEL / "1") as peer:
        yield StreamServer(name=PLAIN, target=StreamTarget(url=peer.url, path=PATH), processes=peer)
