"""A process of callers, patched by gevent as a web worker is: `python -m tests.factories.caller_process`.

Takes name, version (a number or an alias) and number of callers. Prints a line at the first answer, calls until its
input is closed, then prints what became of all calls as JSON.
"""

# ruff: noqa: E402 - as in a web worker, nothing may be imported before the patch
from gevent import monkey

monkey.patch_all()

import random
import sys
import time

import gevent
import msgspec

from app.db.session import Database
from app.errors import GalleyError
from app.inference.client import InferenceClient
from app.inference.directory_reader import DirectoryReader
from app.infra.redis import Subscriber, make_redis
from app.scenarios.images import decode_answer
from app.services.catalog import CATALOG_CHANNEL, Catalog, read_catalog
from app.services.routing import Readiness, Router
from app.settings import read_settings
from tests.factories.callers import FIRST_ANSWER, Outcome
from tests.factories.pictures import plain_picture

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
DEADLINE_S = 20.0


class Caller:
    """Sends pictures of random colours and checks that each answer is that of its own picture."""

    def __init__(self, client: InferenceClient, router: Router, name: str, version: str) -> None:
        self.outcome = Outcome()
        self._client = client
        self._router = router
        self._asked = name, version
        self._pictures = {label: plain_picture(colour) for label, colour in COLOURS.items()}
        self._answered_at = 0.0

    def call_forever(self) -> None:
        """Call again as soon as an answer is there; wait a moment after a failure."""
        while True:
            try:
                self._call_once(random.choice(list(COLOURS)))
            except GalleyError as err:
                self.outcome.failures[err.code] = self.outcome.failures.get(err.code, 0) + 1
                gevent.sleep(0.01)

    def _call_once(self, label: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        ref = self._router.resolve(*self._asked).ref
        answer = self._client.infer(ref, [self._pictures[label]], parameters={"top_k": 1}, deadline=deadline)
        row = answer.rows[0]
        self.outcome.wrong += not (isinstance(row, bytes) and decode_answer(row).labels[0].label == label)
        self.outcome.versions[ref.version] = self.outcome.versions.get(ref.version, 0) + 1
        self._note_answer()

    def _note_answer(self) -> None:
        now = time.monotonic()
        if self.outcome.answered:
            self.outcome.longest_gap_s = max(self.outcome.longest_gap_s, now - self._answered_at)
        else:
            sys.stdout.write(FIRST_ANSWER)
            sys.stdout.flush()
        self.outcome.answered += 1
        self._answered_at = now


def main() -> None:
    """Call until the input is closed."""
    name, version, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    settings = read_settings()
    redis, database = make_redis(settings), Database(settings.database_url)
    directory = DirectoryReader(redis)

    def load() -> Catalog:
        with database.snapshot() as session:
            return read_catalog(session)

    router = Router(load, readiness=Readiness(is_ready=lambda ref: bool(directory.ready(ref)), want=directory.want))
    news = Subscriber(redis, {CATALOG_CHANNEL: router.wake}, on_connect=router.wake)
    for part in (directory, router, news):
        part.start()
    client = InferenceClient(directory)
    caller = Caller(client, router, name, version)
    greenlets = [gevent.spawn(caller.call_forever) for _ in range(count)]
    gevent.get_hub().threadpool.apply(sys.stdin.read)
    gevent.killall(greenlets)
    client.close()
    for part in (news, router, directory):
        part.stop()
    database.close()
    sys.stdout.write(msgspec.json.encode(caller.outcome).decode())


if __name__ == "__main__":
    main()
