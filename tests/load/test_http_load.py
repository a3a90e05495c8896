"""The generators count what a server counts, errors too, so that the benchmarks can be believed."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.load.http_load import Generator, Request, generators


class CountingServer(http.server.ThreadingHTTPServer):
    """Answers every third request 503 and counts all of them."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CountingHandler)
        self.bodies: list[bytes] = []
        self.refused = 0

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.server_port}/classify?top_k=1"


class CountingHandler(http.server.BaseHTTPRequestHandler):
    """Reads the body and answers a few bytes."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: CountingServer

    def do_POST(self) -> None:
        """Count, and refuse every third."""
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        is_refused = len(self.server.bodies) % 3 == 0
        self.server.refused += is_refused
        self.send_response(503 if is_refused else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[CountingServer]:
    """Run a counting server on a free port."""
    server = CountingServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("generator", generators(), ids=lambda generator: generator.name)
def test_generator_counts_what_the_server_counts(server: CountingServer, generator: Generator) -> None:
    """Compare both counts: only the requests in flight at the end may differ."""
    request = Request(url=server.url, token="t", body=b"picture\x00bytes", content_type="image/png")

    result = generator.run(request, connections=2, seconds=1)

    assert result.requests > 10
    assert abs(result.requests - len(server.bodies)) <= 2
    assert abs(result.errors - server.refused) <= 2
    assert set(server.bodies) == {request.body}
