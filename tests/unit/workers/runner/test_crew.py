"""The crew: as many jobs as threads, results once, errors through."""

import threading
from collections.abc import Iterator

import pytest

from tests.factories.waiting import wait_until
from workers.runner.crew import Crew


@pytest.fixture
def crew() -> Iterator[Crew[int]]:
    crew: Crew[int] = Crew(2, name="test", on_finished=lambda: None)
    yield crew
    crew.close()


def test_a_thread_is_idle_again_once_its_result_was_collected(crew: Crew[int]) -> None:
    may_end = threading.Event()
    crew.start(lambda: int(may_end.wait(10)))

    assert (crew.idle, crew.is_busy, crew.collect()) == (1, True, [])

    may_end.set()
    results: list[int] = []

    def collect() -> bool:
        results.extend(crew.collect())
        return bool(results)

    wait_until(collect)
    assert (results, crew.idle, crew.is_busy) == ([1], 2, False)


def test_tells_when_a_job_has_ended() -> None:
    told = threading.Event()
    crew: Crew[int] = Crew(1, name="test", on_finished=told.set)
    crew.start(lambda: 7)

    assert told.wait(10)
    assert crew.collect() == [7]
    crew.close()


def test_what_a_job_raises_reaches_the_collector(crew: Crew[int]) -> None:
    crew.start(lambda: 1 // 0)

    def collect() -> bool:
        crew.collect()
        return False

    with pytest.raises(ZeroDivisionError):
        wait_until(collect)
    assert crew.idle == 2


def test_jobs_one_at_a_time_stay_on_one_thread(crew: Crew[int]) -> None:
    threads: list[int] = []
    for number in range(1, 6):
        crew.start(threading.get_ident)
        while len(threads) < number:
            threads.extend(crew.collect())

    assert len(threads) == 5
    assert len(set(threads)) == 1
