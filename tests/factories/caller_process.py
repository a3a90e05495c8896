"""A process of callers, patched by gevent as a web worker is: `python -m tests.factories.caller_process`.

Takes name, version and number of callers. Prints a line at the first answer, calls until its input is closed,
then prints what became of all calls as JSON.
"""

# ruff: noqa: E402 - as in a web worker, nothing may be imported before the patch
from gevent import monkey

monkey.patch_all()

import random
import sys
import time

import gevent
import msgspec

from app.errors import GalleyError
from app.inference.client import InferenceClient
from app.inference.directory_reader import DirectoryReader
from app.infra.redis import make_redis
from app.scenarios.images import decode_answer
from app.settings import read_settings
from model_store.model_ref import ModelRef
from tests.factories.callers import FIRST_ANSWER, Outcome
from tests.factories.pictures import plain_picture

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
DEADLINE_S = 20.0


class Caller:
    """Sends pictures of random colours and checks that each answer is that of its own picture."""

    def __init__(self, client: InferenceClient, ref: ModelRef) -> None:
        self.outcome = Outcome()
        self._client = client
        self._ref = ref
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
        answer = self._client.infer(self._ref, [self._pictures[label]], parameters={"top_k": 1}, deadline=deadline)
        row = answer.rows[0]
        self.outcome.wrong += not (isinstance(row, bytes) and decode_answer(row).labels[0].label == label)
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
    name, version, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    directory = DirectoryReader(make_redis(read_settings()))
    directory.start()
    client = InferenceClient(directory)
    caller = Caller(client, ModelRef(name, version))
    greenlets = [gevent.spawn(caller.call_forever) for _ in range(count)]
    gevent.get_hub().threadpool.apply(sys.stdin.read)
    gevent.killall(greenlets)
    client.close()
    directory.stop()
    sys.stdout.write(msgspec.json.encode(caller.outcome).decode())


if __name__ == "__main__":
    main()
