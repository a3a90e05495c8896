"""What many sockets bring goes in few calls, and one session's events one after the other."""

from collections.abc import Iterator, Sequence
from typing import cast

import gevent
import pytest

from app.errors import GalleyError, ModelLoading, QueueFull, UnsupportedImage, VersionNotFound
from app.inference.client import InferenceClient
from app.inference.messages import SequenceCall
from app.infra.log_context import begin_log_context, follow_request
from app.scenarios.outcomes import Outcome
from app.web.sockets.calls import MOST_CALLS, MOST_ROWS, Asked, Ended, EventCalls, EventQueue, Undone, traced_handshake
from model_store.model_ref import ModelRef
from tests.factories.streams import ExchangeStand
from tests.factories.traces import SAMPLED, TRACE_ID
from tests.fakes.held_inference import HeldInference
from tests.fakes.inference import NOT_AN_IMAGE

PATIENCE_S = 10.0
REF = ModelRef("fraud", 1)


class Session:
    """A session that sends events, and keeps what it is told of them."""

    def __init__(self, calls: EventCalls, name: str, *, ref: ModelRef = REF, client_id: str = "shop") -> None:
        self.told: list[tuple[int, Outcome | Undone]] = []
        self.name = name
        self._calls = calls
        self._queue = EventQueue(ref, client_id, self._hear, traced_handshake())
        self.follows_up_to = 0
        """It sends the next event when it is told of one, up to this number."""

    def send(self, *seqs: int, row: bytes = b"") -> None:
        for seq in seqs:
            call = SequenceCall(key=self.name, keep_s=60)
            self._calls.put(self._queue, Asked(seq, row or f"{self.name}:{seq}".encode(), call, 0.0))

    def take_back(self) -> None:
        """Take back all that no call has yet."""
        self._queue.withdraw()

    def _hear(self, ended: Sequence[Ended]) -> None:
        for event, outcome in ended:
            self.told.append((event.seq, outcome))
            if event.seq < self.follows_up_to:
                self.send(event.seq + 1)

    def right(self, *seqs: int) -> list[tuple[int, bytes]]:
        """Return what it is to be told of events that are answered."""
        return [(seq, f"{self.name}:{seq}".encode()) for seq in seqs]


@pytest.fixture
def inference() -> Iterator[HeldInference]:
    inference = HeldInference()
    yield inference
    assert inference.under_way == []


@pytest.fixture
def calls(inference: HeldInference) -> Iterator[EventCalls]:
    calls = EventCalls(cast(InferenceClient, inference), limit_s=5.0)
    yield calls
    assert calls._lanes == {}, "a lane was not forgotten"


def settle(inference: HeldInference, *sessions: Session, events: int) -> None:
    """Let calls go until so many events were answered."""
    inference.gate.set()
    with gevent.Timeout(PATIENCE_S):
        while sum(len(session.told) for session in sessions) < events:
            gevent.sleep(0)
    # The greenlets end after their last answer.
    gevent.idle()


def test_an_event_is_asked_for_at_once(calls: EventCalls, inference: HeldInference) -> None:
    session = Session(calls, "a")
    session.send(1)
    settle(inference, session, events=1)
    [call] = inference.calls

    assert session.told == session.right(1)
    assert (call.ref, call.client_id, call.rows) == (REF, "shop", [b"a:1"])
    assert call.sequences == [SequenceCall(key="a", keep_s=60)]


def test_what_comes_together_goes_in_one_call(calls: EventCalls, inference: HeldInference) -> None:
    sessions = [Session(calls, name) for name in "abc"]
    for session in sessions:
        session.send(1, 2)
    settle(inference, *sessions, events=6)

    assert len(inference.calls) == 1
    assert [session.told for session in sessions] == [session.right(1, 2) for session in sessions]


def test_a_call_names_the_handshakes_that_are_traced(calls: EventCalls, inference: HeldInference) -> None:
    sessions = []
    for name, traceparent in (("a", SAMPLED), ("b", ""), ("c", SAMPLED)):
        begin_log_context()
        follow_request(name, traceparent)
        sessions.append(Session(calls, name))
    for session in sessions:
        session.send(1, 2)
    settle(inference, *sessions, events=6)

    [call] = inference.calls
    assert [one.request_id for one in call.traced] == ["a", "c"]
    assert all(TRACE_ID in one.traceparent for one in call.traced)


def test_while_a_call_is_under_way_the_next_gathers(calls: EventCalls, inference: HeldInference) -> None:
    inference.gate.clear()
    sessions = [Session(calls, f"{number}") for number in range(10)]
    for session in sessions:
        session.send(1)
        gevent.idle()
    assert len(inference.under_way) == MOST_CALLS
    settle(inference, *sessions, events=10)

    assert [len(call.rows) for call in inference.calls] == [1, 1, 8]


def test_what_was_taken_back_while_it_waited_makes_no_call(calls: EventCalls, inference: HeldInference) -> None:
    inference.gate.clear()
    held = [Session(calls, name) for name in "ab"[:MOST_CALLS]]
    for session in held:
        session.send(1)
        gevent.idle()
    hasty = Session(calls, "c")
    hasty.send(1, 2)
    hasty.take_back()
    inference.gate.set()
    settle(inference, *held, events=len(held))
    hasty.send(3)
    settle(inference, hasty, events=1)

    assert [call.rows for call in inference.calls] == [[b"a:1"], [b"b:1"], [b"c:3"]]
    assert hasty.told == hasty.right(3)


def test_a_session_is_in_one_call_at_a_time_and_in_order(calls: EventCalls, inference: HeldInference) -> None:
    inference.gate.clear()
    one, other = Session(calls, "one"), Session(calls, "other")
    for seq in (1, 2, 3):
        one.send(seq)
        gevent.idle()
    assert inference.under_way == [["one"]]
    other.send(1)
    gevent.idle()
    assert inference.under_way == [["one"], ["other"]]
    settle(inference, one, other, events=4)

    assert one.told == one.right(1, 2, 3)
    assert [call.rows for call in inference.calls] == [[b"one:1"], [b"other:1"], [b"one:2", b"one:3"]]


def test_what_comes_while_answers_are_told_is_not_left(calls: EventCalls, inference: HeldInference) -> None:
    session = Session(calls, "a")
    session.follows_up_to = 5
    session.send(1)
    settle(inference, session, events=5)

    assert session.told == session.right(1, 2, 3, 4, 5)


def test_a_call_has_an_end(calls: EventCalls, inference: HeldInference) -> None:
    sessions = [Session(calls, f"{number}") for number in range(MOST_ROWS + 1)]
    for session in sessions:
        session.send(1)
    settle(inference, *sessions, events=MOST_ROWS + 1)

    assert sorted(len(call.rows) for call in inference.calls) == [1, MOST_ROWS]


def test_a_row_fails_alone(calls: EventCalls, inference: HeldInference) -> None:
    good, bad = Session(calls, "good"), Session(calls, "bad")
    bad.send(1, row=NOT_AN_IMAGE)
    good.send(1)
    settle(inference, good, bad, events=2)
    [(_, error)] = bad.told

    assert good.told == good.right(1)
    assert isinstance(error, UnsupportedImage)


def test_a_call_that_fails_fails_its_events_only(calls: EventCalls, inference: HeldInference) -> None:
    inference.gate.clear()
    first, second = Session(calls, "first"), Session(calls, "second")
    inference.fails = ModelLoading("Not yet.")
    first.send(1, 2)
    settle(inference, first, events=2)
    inference.fails = None
    second.send(1)
    first.send(3)
    settle(inference, first, second, events=4)

    assert first.told[2:] == first.right(3)
    assert second.told == second.right(1)
    assert [type(outcome) for _, outcome in first.told] == [Undone, Undone, bytes]


def test_a_version_that_is_gone_is_not_waited_for(inference: HeldInference) -> None:
    def check(ref: ModelRef) -> None:
        raise VersionNotFound(ref.name, str(ref.version))

    session = Session(EventCalls(cast(InferenceClient, inference), limit_s=PATIENCE_S, check=check), "first")
    session.send(1)
    settle(inference, session, events=1)

    [(_, outcome)] = session.told
    assert isinstance(outcome, Undone)
    assert isinstance(outcome.error, VersionNotFound)
    assert inference.calls == []


def test_what_nobody_foresaw_ends_nothing_else(
    calls: EventCalls, inference: HeldInference, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session(calls, "a")
    inference.fails = ZeroDivisionError("by what?")
    session.send(1)
    settle(inference, session, events=1)
    inference.fails = None
    session.send(1)
    settle(inference, session, events=2)
    (_, undone), again = session.told

    assert isinstance(undone, Undone)
    assert type(undone.error) is GalleyError
    assert "by what?" not in undone.error.detail
    assert "by what?" in caplog.text
    assert [again] == session.right(1)


def test_other_clients_and_versions_are_asked_for_apart(calls: EventCalls, inference: HeldInference) -> None:
    inference.gate.clear()
    busy = [Session(calls, f"busy-{number}") for number in range(4)]
    for session in busy:
        session.send(1)
        gevent.idle()
    other_client = Session(calls, "client", client_id="bank")
    other_version = Session(calls, "version", ref=ModelRef("fraud", 2))
    for session in (other_client, other_version):
        session.send(1)
        gevent.idle()

    assert inference.under_way == [["busy-0"], ["busy-1"], ["client"], ["version"]]
    settle(inference, *busy, other_client, other_version, events=6)
    assert {(call.client_id, call.ref.version, len(call.rows)) for call in inference.calls} == {
        ("shop", 1, 1),
        ("shop", 1, 2),
        ("bank", 1, 1),
        ("shop", 2, 1),
    }


def test_nothing_takes_effect_before_what_failed_ahead_of_it() -> None:
    """Not what waits already, and not what comes later."""
    payments = ExchangeStand()
    payments.send(1, 2)
    queue, second = payments.calls.waiting.pop()
    queue.waiting.append(second)
    payments.calls.conclude(Undone(QueueFull("No room.")), 1)
    assert [(told["seq"], told["code"]) for told in payments.hush()] == [(1, "queue_full"), (2, "sequence_skipped")]
    payments.send(2, 3)
    assert [told["code"] for told in payments.hush()] == ["sequence_skipped"] * 2
    payments.send(1, 2, 3)

    assert (payments.calls.seqs(), payments.said) == ([1, 2, 3], [])


def test_of_a_version_that_was_deleted_no_event_is_kept_waiting() -> None:
    payments = ExchangeStand()
    payments.send(1)
    payments.calls.conclude(Undone(VersionNotFound("fraud", "3")))
    [told] = payments.said

    assert (told["code"], told["retryable"]) == ("version_not_found", False)
    assert payments.exchange.is_idle


def test_what_goes_before_it_is_left_alone() -> None:
    """Number 2 is refused for want of Redis while number 1 still waits for its call."""
    payments = ExchangeStand()
    payments.send(1)
    queue, first = payments.calls.waiting.pop()
    queue.waiting.append(first)
    payments.sessions.is_away = True
    payments.send(2, amount=-1)

    assert [told["seq"] for told in payments.said] == [2]
    assert list(queue.waiting) == [first]
