"""A soak's scraper tells how long scrapes took, which failed, and what in them is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from tests.factories.waiting import wait_until
from tests.load.background import meanwhile
from tests.load.soak_scrapes import ScrapeCaller, scrapes_table

FIRST, FALLEN = (f"# HELP a_total A.\n# TYPE a_total counter\na_total {value}\n" for value in (2, 1))


class Told(BaseHTTPRequestHandler):
    """Answers what is left of `texts`; then it fails, and says that all was told."""

    def __init__(self, texts: list[str], all_told: Event, *of_request: object) -> None:
        self._texts, self._all_told = texts, all_told
        super().__init__(*of_request)  # type: ignore[arg-type]  # the server's own

    def do_GET(self) -> None:
        """Answer."""
        text = self._texts.pop(0) if self._texts else ""
        self.send_response(200 if text else 503)
        self.send_header("Content-Length", f"{len(text)}")
        self.end_headers()
        self.wfile.write(text.encode())
        if not text:
            self._all_told.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def telling(texts: list[str], all_told: Event) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Told, texts, all_told)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_scrapes_one_after_the_other() -> None:
    all_told = Event()
    with telling([FIRST, FALLEN], all_told) as url:
        caller = ScrapeCaller(url, every_s=0.01)
        with meanwhile(caller.work):
            assert all_told.wait(30)
    caller.read()

    assert caller.texts == [FIRST, FALLEN]
    assert caller.tally.failed.pop("503") >= 1
    assert caller.tally.failed == {"a_total{} fell from 2 to 1": 1}
    [row] = scrapes_table(caller).rows
    assert [row[1], row[4], row[5]] == ["2", "1", "0"]


def test_a_server_that_is_not_there_is_told() -> None:
    with telling([], Event()) as url:
        pass
    caller = ScrapeCaller(url, every_s=0.01)
    with meanwhile(caller.work):
        wait_until(caller.tally.failed.total)

    assert caller.tally.failed.keys() == {"ConnectError"}
    assert scrapes_table(caller).rows[0][1] == "0"
