"""More than there is room for: who is served, how long the others wait for their refusal, and what they are told."""

import math
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from app.errors import QueueFull, ShareExceeded
from app.inference.admission import Admission
from app.inference.client import InferAnswer, InferenceClient
from app.inference.messages import RunnerState
from app.inference.turns import Turns
from model_store.model_ref import ModelRef
from tests.factories.models import SlowColourModel
from tests.factories.pictures import plain_picture
from tests.factories.runners import make_spec, running
from tests.factories.waiting import wait_until
from tests.fakes.directory import FakeDirectory
from tests.fakes.inference import make_record

REF = ModelRef("colours", 1)
PICTURE = plain_picture((200, 10, 10))
QUEUE_ROWS, BATCH_ROWS = 256, 8
# What a request costs the hub: to read and decide on, to refuse, and to serve.
DECISION_S, REFUSAL_S, WORK_S = 0.00004, 0.00001, 0.0006
CAPACITY = 1 / (DECISION_S + WORK_S)


class Hub:
    """A web worker's hub in a time of its own, which only work moves on. Its greenlets and their order are gevent's."""

    def __init__(self, *, begins_at_once: bool = False) -> None:
        self.now = 0.0
        self.turns = Turns(monotonic=lambda: self.now)
        self.admission = Admission(limit=256, longest_wait_s=0.04, turns=self.turns)
        self.begin: Callable[[], object] = (lambda: None) if begins_at_once else self.turns.wait
        self.good: dict[str, list[float]] = {}
        self.refused: dict[str, list[float]] = {}

    def offer(self, seconds: float, rates: dict[str, float]) -> None:
        """Offer so many requests per second of each client, whatever is answered."""
        due = sorted((n / rate, name) for name, rate in rates.items() for n in range(int(seconds * rate)))
        requests = []
        for moment, name in due:
            while moment > self.now:
                if not self.admission.in_service:
                    self.now = moment
                gevent.sleep(1e-6)
            requests.append(gevent.spawn(self._serve, name, moment))
        gevent.joinall(requests)

    def _serve(self, client_id: str, due: float) -> None:
        self.now += DECISION_S
        try:
            self.admission.enter(client_id, self.now)
        except (QueueFull, ShareExceeded):
            self.now += REFUSAL_S
            self.refused.setdefault(client_id, []).append(self.now - due)
            return

        self.begin()
        self.now += WORK_S / 2
        # Redis, or a runner, answers.
        gevent.sleep(1e-6)
        self.now += WORK_S / 2
        self.admission.leave(client_id, self.now)
        self.good.setdefault(client_id, []).append(self.now - due)


def test_three_times_the_capacity_leaves_most_of_it_to_those_that_are_served() -> None:
    hub = Hub()
    hub.offer(1.0, {"flood": 3 * CAPACITY})

    assert len(hub.good["flood"]) >= 0.8 * CAPACITY * hub.now
    assert max(hub.good["flood"]) < 0.1
    assert max(hub.refused["flood"]) < 0.02


def test_without_turns_refusals_would_wait_for_the_work_of_others() -> None:
    hub = Hub(begins_at_once=True)
    hub.offer(1.0, {"flood": 3 * CAPACITY})

    assert max(hub.refused["flood"]) > 0.05
    assert max(hub.good["flood"]) > 0.1


def test_a_client_within_its_share_is_not_refused_while_another_floods() -> None:
    hub = Hub()
    hub.offer(1.0, {"flood": 3 * CAPACITY, "polite": 0.2 * CAPACITY})

    assert "polite" not in hub.refused
    assert max(hub.good["polite"]) < 0.1
    assert hub.refused["flood"]


def test_all_is_as_before_when_the_flood_is_over() -> None:
    hub = Hub()
    hub.offer(0.5, {"flood": 3 * CAPACITY})
    assert hub.refused.pop("flood")
    assert (hub.admission.in_service, len(hub.turns)) == (0, 0)

    hub.now = 0.0
    hub.offer(1.0, {"flood": 0.9 * CAPACITY})

    assert hub.refused == {}


class Flood:
    """A client that sends calls of eight rows from many greenlets, and heeds no Retry-After."""

    def __init__(self, client: InferenceClient, *, callers: int) -> None:
        self.rows_answered = 0
        self.refusals: Counter[str] = Counter()
        self._client = client
        self._is_over = False
        self._greenlets = [gevent.spawn(self._call) for _ in range(callers)]

    def stop(self) -> None:
        """Send nothing more, and wait for what was sent."""
        self._is_over = True
        gevent.joinall(self._greenlets, raise_error=True)

    def _call(self) -> None:
        while not self._is_over:
            try:
                answer = ask(self._client, "flood", 8)
            except (QueueFull, ShareExceeded) as err:
                self.refusals[err.code] += 1
                gevent.sleep(0.001)
                continue
            assert all(isinstance(row, bytes) for row in answer.rows)
            self.rows_answered += 8


def ask(client: InferenceClient, client_id: str, rows: int, within_s: float = 60.0) -> InferAnswer:
    return client.infer(REF, [PICTURE] * rows, deadline=time.monotonic() + within_s, client_id=client_id)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[InferenceClient]:
    """A client of a runner that computes for about a millisecond per row, at most eight rows at once."""
    with (
        tempfile.TemporaryDirectory(prefix="galley-") as sockets,
        running(make_spec(tmp_path, Path(sockets), SlowColourModel(work=8), queue_rows=QUEUE_ROWS)) as (runner, caller),
    ):
        caller.wait_for(RunnerState.READY)
        record = make_record(REF, address=runner.spec.address, capacity_rows=QUEUE_ROWS)
        client = InferenceClient(FakeDirectory(record))
        yield client
        client.close()


@pytest.fixture
def flood(client: InferenceClient) -> Iterator[Flood]:
    """A flood that has filled the runner's queue."""
    flood = Flood(client, callers=50)
    wait_until(lambda: flood.refusals and flood.rows_answered, sleep=gevent.sleep)
    yield flood
    flood.stop()


def test_a_flood_of_thousands_of_rows_delays_others_by_a_few_batches(client: InferenceClient, flood: Flood) -> None:
    """In the order of arrival each polite row would wait for the whole queue, 256 rows."""
    waited_for = []
    for _ in range(20):
        before = flood.rows_answered
        ask(client, "polite", 1)
        waited_for.append(flood.rows_answered - before)

    # What is computed, what is prepared for the next two batches, and what the hub had not read yet.
    assert statistics.median(waited_for) <= 8 * BATCH_ROWS
    assert flood.refusals["queue_full"]


def test_a_flood_is_told_that_others_are_served(client: InferenceClient, flood: Flood) -> None:
    polite = gevent.spawn(ask, client, "polite", QUEUE_ROWS // 2)
    wait_until(lambda: flood.refusals["share_exceeded"], sleep=gevent.sleep)

    assert len(polite.get(timeout=60).rows) == QUEUE_ROWS // 2


def test_who_comes_back_when_told_is_served(client: InferenceClient) -> None:
    held = [gevent.spawn(ask, client, "flood", 8) for _ in range(QUEUE_ROWS // 8)]
    gevent.sleep(0)
    with pytest.raises(QueueFull) as refused:
        ask(client, "flood", 64)
    # As the header says it: whole seconds.
    again_at = time.monotonic() + max(1, math.ceil(refused.value.retry_after_s))
    wait_until(lambda: time.monotonic() > again_at, timeout_s=60.0, sleep=gevent.sleep)

    assert len(ask(client, "flood", 64).rows) == 64
    gevent.joinall(held, raise_error=True)
