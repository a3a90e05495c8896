"""Work on a thread of low priority: its result, its errors and its fields in the log are the caller's."""

import os
import resource
import threading

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from structlog.contextvars import get_contextvars

from app.infra.log_context import log_fields
from workers.batch import nice_thread
from workers.batch.nice_thread import NICENESS, run_nicely


def never() -> None:
    raise AssertionError("there is time")


def data_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_DATA)[0]


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_only_the_work_is_nicer() -> None:
    before = niceness()

    assert run_nicely(niceness, on_overtime=never) == min(19, before + NICENESS)
    assert niceness() == before


def test_memory_is_limited_once_the_thread_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    began = []
    monkeypatch.setattr(nice_thread, "_give_way", lambda: began.append(data_limit()))
    before = data_limit()

    assert run_nicely(data_limit, on_overtime=never, memory_limit=2**50) == 2**50
    assert (began, data_limit()) == ([before], before)


def test_errors_travel() -> None:
    with pytest.raises(ZeroDivisionError):
        run_nicely(lambda: 1 // 0, on_overtime=never)


def test_log_fields_travel() -> None:
    with log_fields(job="x"):
        assert run_nicely(get_contextvars, on_overtime=never) == {"job": "x"}


def test_soft_limit_lets_the_work_end_before_it_travels() -> None:
    told = threading.Event()

    def work() -> None:
        # What the signal of Celery's soft limit does to the main thread.
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        run_nicely(work, on_overtime=told.set)
    assert told.is_set()
