"""A worker that is deaf is ended; one that is busy, idle, or without Redis is not."""

import subprocess
import sys
import threading
from types import SimpleNamespace
from unittest import mock

import pytest
from celery import bootsteps

from app.errors import RedisUnavailable
from app.infra.broker_queues import BrokerQueues
from tests.fakes.clock import FakeClock
from workers.beat_pulse import BeatPulse
from workers.watchdog import (
    BROKEN,
    BROKEN_S,
    LATE,
    LEAST_BEAT_SILENCE_S,
    LONGEST_TASK_S,
    NO_BEAT,
    Look,
    Patience,
    Watchdog,
    WorkerView,
)

SILENCE_S = 60.0
DEAF = Look(received=3, waiting=1, has_room=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def patience(clock: FakeClock) -> Patience:
    return Patience(silence_s=SILENCE_S, clock=clock.clock())


def looks_until_over(patience: Patience, clock: FakeClock, look: Look, most: int = 100) -> int | None:
    """Look again and again; return after how many looks patience was over."""
    for number in range(most):
        if patience.reason(look):
            return number
        clock.advance(patience.every_s)
    return None


def test_deaf_worker_is_borne_for_so_long(patience: Patience, clock: FakeClock) -> None:
    assert looks_until_over(patience, clock, DEAF) == SILENCE_S / patience.every_s


def test_idle_worker_is_borne_for_ever(patience: Patience, clock: FakeClock) -> None:
    idle = Look(received=3, waiting=0, has_room=True)

    assert looks_until_over(patience, clock, idle, most=2000) is None


def test_busy_worker_is_borne_for_as_long_as_a_task_may_take(patience: Patience, clock: FakeClock) -> None:
    busy = Look(received=3, waiting=9, has_room=False)

    assert looks_until_over(patience, clock, busy, most=2000) == LONGEST_TASK_S / patience.every_s


def test_worker_that_was_busy_gets_all_of_the_patience(patience: Patience, clock: FakeClock) -> None:
    looks_until_over(patience, clock, Look(received=3, waiting=9, has_room=False), most=50)

    assert looks_until_over(patience, clock, DEAF) == SILENCE_S / patience.every_s - 1


def test_worker_that_receives_is_borne_for_ever(patience: Patience, clock: FakeClock) -> None:
    for received in range(100):
        assert not patience.reason(Look(received=received, waiting=50, has_room=True))
        clock.advance(patience.every_s)


def test_silence_begins_anew_after_each_message(patience: Patience, clock: FakeClock) -> None:
    looks_until_over(patience, clock, DEAF, most=10)
    heard = Look(received=4, waiting=1, has_room=True)

    assert looks_until_over(patience, clock, heard) == SILENCE_S / patience.every_s


def test_time_that_nobody_looked_does_not_count(patience: Patience, clock: FakeClock) -> None:
    """The machine slept: what waits came in while nobody could have taken it."""
    patience.reason(DEAF)
    clock.advance(LATE * SILENCE_S)

    assert looks_until_over(patience, clock, DEAF) == SILENCE_S / patience.every_s


def test_short_patience_looks_often(clock: FakeClock) -> None:
    assert Patience(silence_s=2.0, clock=clock.clock()).every_s == 0.5


def view_of(
    *,
    busy: int,
    waiting: int | Exception,
    monkeypatch: pytest.MonkeyPatch,
    beat: object = None,
    state: int = bootsteps.RUN,
) -> WorkerView:
    queues: mock.NonCallableMagicMock = mock.create_autospec(BrokerQueues, instance=True)
    queues.count.side_effect = [waiting]
    monkeypatch.setattr("workers.watchdog.state.reserved_requests", set(range(busy)))
    amqp = SimpleNamespace(queues=SimpleNamespace(consume_from={"batch": None, "heavy": None}))
    blueprint = SimpleNamespace(state=state)
    worker = SimpleNamespace(
        pool=SimpleNamespace(num_processes=2), app=SimpleNamespace(amqp=amqp), beat=beat, blueprint=blueprint
    )
    pulse = BeatPulse()
    pulse.note()
    return WorkerView(worker, queues, pulse)


@pytest.mark.parametrize(("busy", "has_room"), [(0, True), (1, True), (2, False)])
def test_room_is_a_process_with_nothing_to_do(busy: int, has_room: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(busy=busy, waiting=5, monkeypatch=monkeypatch)
    for _ in range(3):
        view.note_received(sender=None, request=None)

    assert view.look() == Look(received=3, waiting=5, has_room=has_room)


def test_redis_that_is_away_is_not_the_workers_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(busy=0, waiting=RedisUnavailable("Redis does not answer."), monkeypatch=monkeypatch)

    assert view.look() == Look(received=0, waiting=0, has_room=True, beats=None)


@pytest.mark.parametrize(("beat", "beats"), [(None, None), (object(), 1)])
def test_worker_with_a_beat_is_asked_for_it(beat: object, beats: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert view_of(busy=0, waiting=0, monkeypatch=monkeypatch, beat=beat).look().beats == beats


@pytest.mark.parametrize(
    ("state", "is_ending"), [(bootsteps.RUN, False), (bootsteps.CLOSE, True), (bootsteps.TERMINATE, True)]
)
@pytest.mark.parametrize("waiting", [0, RedisUnavailable("Redis does not answer.")])
def test_worker_that_is_about_to_end_is_seen(
    state: int, is_ending: bool, waiting: int | Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = view_of(busy=0, waiting=waiting, monkeypatch=monkeypatch, state=state)

    assert view.look().is_ending is is_ending


def test_worker_that_broke_is_ended_soon_though_nothing_waits_for_it(patience: Patience, clock: FakeClock) -> None:
    broken = Look(received=3, waiting=0, has_room=False, is_ending=True)

    assert looks_until_over(patience, clock, broken) == BROKEN_S / patience.every_s
    assert patience.reason(broken) == BROKEN


def test_worker_whose_beat_has_died_is_ended_though_it_hears(patience: Patience, clock: FakeClock) -> None:
    reasons = []
    for received in range(100):
        reasons.append(patience.reason(Look(received=received, waiting=1, has_room=True, beats=7)))
        clock.advance(patience.every_s)

    first = reasons.index(NO_BEAT)
    assert set(reasons[:first]) == {None}
    assert first * patience.every_s == max(SILENCE_S, LEAST_BEAT_SILENCE_S)


def test_beat_that_sends_or_cannot_send_is_borne_for_ever(patience: Patience, clock: FakeClock) -> None:
    for number in range(500):
        # A beat in a dozen looks, and then no Redis for as many.
        beats = number // 12 if number % 24 < 12 else None
        assert patience.reason(Look(received=0, waiting=0, has_room=True, beats=beats)) is None
        clock.advance(patience.every_s)


def test_short_patience_is_none_with_beat(clock: FakeClock) -> None:
    patience = Patience(silence_s=2.0, clock=clock.clock())
    idle = Look(received=0, waiting=0, has_room=True, beats=1)

    assert looks_until_over(patience, clock, idle, most=500) == LEAST_BEAT_SILENCE_S / patience.every_s


def test_watchdog_ends_the_worker_once() -> None:
    ended: list[str] = []
    watchdog = Watchdog(Patience(silence_s=0.01), look=lambda: DEAF, end=ended.append)
    watchdog.start()
    watchdog.join()

    assert ended == ["it receives nothing although messages wait for it"]


def test_watchdog_that_is_stopped_ends_nobody() -> None:
    looked = threading.Semaphore(0)

    def look() -> Look:
        looked.release()
        return Look(received=0, waiting=0, has_room=True)

    watchdog = Watchdog(Patience(silence_s=0.01), look=look, end=pytest.fail)
    watchdog.start()
    for _ in range(3):
        assert looked.acquire(timeout=10)
    watchdog.stop()
    watchdog.join()


END = """
import signal, workers.watchdog
signal.signal(signal.SIGTERM, {handler})
workers.watchdog.end_worker("no more", drain_s=0.1)
"""


@pytest.mark.parametrize(
    ("handler", "code"), [("signal.SIG_DFL", -15), ("signal.SIG_IGN", -9)], ids=["it ends", "it hangs"]
)
def test_worker_is_told_to_end_and_then_killed(handler: str, code: int) -> None:
    process = subprocess.run([sys.executable, "-c", END.format(handler=handler)], timeout=60, check=False)

    assert process.returncode == code
