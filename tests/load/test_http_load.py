"""The generators count what a server counts, errors too, so that the benchmarks can be believed."""

import http.server
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.http_load import Generator, OwnGenerator, Request, generators


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
    if generator.name == OwnGenerator.name and shutil.which("cc") is None:
        pytest.skip("no cc on PATH")
    request = Request(url=server.url, token="t", body=b"picture\x00bytes", content_type="image/png")

    result = generator.run(request, connections=2, seconds=1)

    assert result.requests > 10
    assert abs(result.requests - len(server.bodies)) <= 2
    assert abs(result.errors - server.refused) <= 2
    assert set(server.bodies) == {request.body}


FOREIGN = """#!{python}
import json, struct, sys
with open(sys.argv[4], "rb") as file:
    (size,) = struct.unpack("<I", file.read(4))
    assert file.read().endswith(b"body") and sys.argv[1:4] == ["http", "127.0.0.1", "80"]
counts = {{"ok": 90, "bad": 4, "late": 3, "lost": 2, "errors": 1, "elapsed": 2.0, "p50_ms": size, "p99_ms": 9.0}}
print(json.dumps(counts | {{"options": sys.argv[5:]}}))
"""


def test_a_generator_by_path_is_called_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the same file of requests, and whatever is not good counts as an error."""
    script = tmp_path / "foreign"
    script.write_text(FOREIGN.format(python=sys.executable), "utf-8")
    script.chmod(0o700)
    monkeypatch.setenv("GALLEY_LOAD", str(script))
    request = Request(url="http://127.0.0.1:80/", token="t", body=b"body", content_type="image/png")

    foreign = generators()[-1]
    result = foreign.run(request, connections=2, seconds=1)

    assert foreign.name == "foreign"
    assert (result.requests, result.errors, result.rate) == (100, 10, 45.0)
    assert (result.p50_ms, result.p99_ms) == (len(request.wire), 9.0)
