"""The project's own generator counts and times what a server does, whatever that is."""

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load import own_generator
from tests.load.own_generator import Load, LoadReport, NoCompiler, run_load
from tests.load.request_file import request_file

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no cc on PATH")

STALL_S = 1.0
STALLING_REQUEST = 50


class ScriptedServer(http.server.ThreadingHTTPServer):
    """Answers as the path says; `paths` are those that were asked for."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ScriptedHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.paths: list[str] = []
        self.attention = threading.Lock()
        self.never = threading.Event()


class ScriptedHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ScriptedServer

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        getattr(self, self.path.split("/")[1])(*self.path.split("/")[2:])

    def status(self, code: str, *names: str) -> None:
        """Answer with this status, and fields given as Name=value."""
        self.send_response(int(code))
        for name in names:
            self.send_header(*name.split("=", 1))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def pieces(self) -> None:
        """Answer in pieces that arrive one by one."""
        for piece in (b"HTTP/1.1 200 O", b"K\r\ncontent-length: 4\r", b"\n\r", b"\nab", b"cd"):
            self.wfile.write(piece)
            self.server.never.wait(0.001)

    def surplus(self) -> None:
        """Say more than was announced."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc")

    def endless(self) -> None:
        """Announce no length."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\nab")

    def silence(self) -> None:
        """Never answer; returns when the caller hangs up."""
        self.rfile.read(1)

    def goodbye(self) -> None:
        """Hang up instead of answering."""
        self.close_connection = True

    def stall(self) -> None:
        """Answer at once, but let everybody wait for one of the requests."""
        with self.server.attention:
            if len(self.server.paths) == STALLING_REQUEST:
                self.server.never.wait(STALL_S)
        self.status("200")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(server: ScriptedServer, load: Load, *paths: str) -> LoadReport:
    requests = [f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths]
    with request_file(requests) as file:
        return run_load(server.url, file, load)


def test_requests_are_sent_in_their_order_again_and_again(server: ScriptedServer) -> None:
    report = run(server, Load(connections=1, count=5), "/status/200/a=1", "/status/200/b=1", "/status/201")

    assert server.paths == ["/status/200/a=1", "/status/200/b=1", "/status/201", "/status/200/a=1", "/status/200/b=1"]
    assert (report.offered, report.sent, report.good) == (5, 5, 5)
    assert sum(report.good_in_second) == 5
    assert 0 < report.good_ms.p50 <= report.good_ms.p99 <= report.good_ms.max


def test_answers_are_counted_by_kind(server: ScriptedServer) -> None:
    report = run(
        server,
        Load(connections=2, count=70),
        "/status/200/X-Cache=hit",
        "/status/200/X-Cache=miss",
        "/status/200/x-cache=bypass",
        "/status/429/retry-after=1",
        "/status/429",
        "/status/503/Retry-After=1",
        "/status/404",
    )

    assert (report.hits, report.misses, report.bypasses, report.good) == (10, 10, 10, 30)
    assert (report.limited, report.unavailable, report.refused, report.without_retry_after) == (20, 10, 30, 10)
    assert (report.other, report.first_other, report.failed) == (10, 404, 10)
    assert report.refused_ms.p50 > 0


@pytest.mark.parametrize("path", ["/pieces", "/status/200/Connection=close", "/status/204"])
def test_every_good_answer_is_read(server: ScriptedServer, path: str) -> None:
    report = run(server, Load(connections=2, count=20), path)

    assert (report.good, report.failed, report.unreadable) == (20, 0, 0)


@pytest.mark.parametrize("path", ["/surplus", "/endless"])
def test_an_answer_without_a_clear_end_is_unreadable(server: ScriptedServer, path: str) -> None:
    report = run(server, Load(connections=1, count=3), path)

    assert (report.good, report.unreadable, report.failed) == (0, 3, 3)


def test_a_broken_connection_loses_its_request_only(server: ScriptedServer) -> None:
    report = run(server, Load(connections=1, count=10), "/status/200", "/goodbye")

    assert (report.good, report.lost, report.connection_errors) == (5, 5, 5)


def test_requests_without_an_answer_or_a_connection_are_told_apart(server: ScriptedServer) -> None:
    report = run(server, Load(connections=2, seconds=0.5, rate=100, timeout_s=0.2), "/silence")

    assert report.offered == 50
    assert report.lost == report.sent == len(server.paths)
    assert report.lost + report.given_up == 50
    assert report.given_up > 0


def test_a_stall_is_felt_by_all_who_come_meanwhile_in_the_open_loop(server: ScriptedServer) -> None:
    report = run(server, Load(connections=4, seconds=2, rate=200, deadline_s=STALL_S / 2), "/stall")

    assert (report.offered, report.good) == (400, 400)
    assert report.good_ms.p90 > STALL_S * 1000 / 2
    assert report.late >= 50
    # From when they were sent, only those on the wire were slow: a generator that counts so hides the stall.
    assert report.good_sent_ms.p90 < STALL_S * 1000 / 2


def test_a_stall_is_felt_by_one_request_per_connection_in_the_closed_loop(server: ScriptedServer) -> None:
    report = run(server, Load(connections=4, count=1000), "/stall")

    assert report.good == 1000
    assert report.good_ms.p99 < STALL_S * 1000 / 2
    assert report.good_ms.max >= STALL_S * 1000 * 0.9


def test_nobody_listening_ends_the_run(server: ScriptedServer) -> None:
    nobody = type("Nobody", (), {"url": "http://127.0.0.1:1"})

    with pytest.raises(subprocess.CalledProcessError):
        run(nobody, Load(connections=1, seconds=1), "/status/200")  # type: ignore[arg-type]


def test_a_machine_without_a_compiler_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_generator, "BUILD", tmp_path / "build")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoCompiler, match="install a C compiler"):
        own_generator.executable()
