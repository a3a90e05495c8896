"""States of sequences over a real Redis: fenced, written together with the answers, gone after their time."""

import threading
from pathlib import Path

import pytest
import redis

from app.errors import RedisUnavailable
from app.infra.redis import make_redis
from tests.factories.settings import make_settings
from workers.runner.sequence_store import Kept, Mark, Move, SequenceState, SequenceStore

KEEP_S = 100


@pytest.fixture
def states(redis_client: redis.Redis) -> SequenceStore:
    return SequenceStore(redis_client)


def move(key: str, before: SequenceState, data: bytes, **more: object) -> Move:
    return Move(key, before, SequenceState(before.version + 1, data), KEEP_S, **more)  # type: ignore[arg-type]


def test_a_new_sequence_remembers_nothing(states: SequenceStore) -> None:
    assert states.read(["a"], ["answer"]) == ([SequenceState()], [None])


def test_nothing_is_asked_of_nobody(states: SequenceStore) -> None:
    assert states.read([], []) == ([], [])
    assert states.move([]) == []


def test_what_was_moved_is_read_with_the_answers(states: SequenceStore) -> None:
    data = bytes(range(256))

    moved = states.move([move("a", SequenceState(), data, answers=[Kept("e1", b"\x00answer\xff", KEEP_S)])])

    assert moved == [True]
    found, answers = states.read(["a", "b"], ["e1", "e2"])
    assert found == [SequenceState(1, data), SequenceState()]
    assert answers == [b"\x00answer\xff", None]


def test_two_moves_of_one_sequence_follow_each_other(states: SequenceStore) -> None:
    first, second = move("a", SequenceState(), b"1"), move("a", SequenceState(1, b"1"), b"2")

    assert states.move([first, second]) == [True, True]
    assert states.read(["a"], [])[0] == [SequenceState(2, b"2")]


def test_nothing_of_a_move_from_an_old_version_is_written(states: SequenceStore, redis_client: redis.Redis) -> None:
    states.move([move("a", SequenceState(), b"1")])

    late = move("a", SequenceState(), b"late", answers=[Kept("e", b"late", KEEP_S)], marks=[Mark("m", 1, KEEP_S)])

    assert states.move([late, move("b", SequenceState(), b"other")]) == [False, True]
    assert states.read(["a", "b"], ["e"]) == ([SequenceState(1, b"1"), SequenceState(1, b"other")], [None])
    assert redis_client.get("m") is None


def test_marks_only_rise(states: SequenceStore, redis_client: redis.Redis) -> None:
    for version, number in enumerate([3, 2**53 - 1, 5]):
        states.move([move("a", SequenceState(version), b"", marks=[Mark("m", number, KEEP_S)])])

    assert redis_client.get("m") == str(2**53 - 1).encode()


def test_marks_rise_without_a_move_as_well(states: SequenceStore, redis_client: redis.Redis) -> None:
    states.raise_marks([Mark("m", number, KEEP_S) for number in (3, 2**53 - 1, 5)] + [Mark("n", 1, 20)])
    states.raise_marks([])

    assert (redis_client.get("m"), redis_client.ttl("m")) == (str(2**53 - 1).encode(), KEEP_S)
    assert (redis_client.get("n"), redis_client.ttl("n")) == (b"1", 20)


def test_marks_rise_in_one_trip_however_many(states: SequenceStore, redis_client: redis.Redis) -> None:
    states.raise_marks([Mark("m", 0, KEEP_S)])
    redis_client.config_resetstat()

    states.raise_marks([Mark(f"m{number % 3}", number, KEEP_S) for number in range(1, 50)])

    calls = redis_client.info("commandstats")
    assert (calls["cmdstat_evalsha"]["calls"], calls["cmdstat_set"]["calls"]) == (1, 3)
    assert "cmdstat_script|exists" not in calls
    assert states.marks_at(["m0", "m1", "m2", "none"]) == [48, 49, 47, 0]
    assert states.marks_at([]) == []


def test_what_redis_refuses_is_an_error_of_ours(states: SequenceStore, redis_client: redis.Redis) -> None:
    redis_client.lpush("a", "something else's")

    with pytest.raises(RedisUnavailable, match="refused"):
        states.move([move("a", SequenceState(), b"")])
    with pytest.raises(RedisUnavailable, match="refused"):
        states.raise_marks([Mark("a", 1, KEEP_S)])


def test_all_of_it_is_gone_after_its_time(states: SequenceStore, redis_client: redis.Redis) -> None:
    states.move([move("a", SequenceState(), b"", answers=[Kept("e", b"", 50)], marks=[Mark("m", 1, 20)])])

    assert (redis_client.ttl("a"), redis_client.ttl("e"), redis_client.ttl("m")) == (KEEP_S, 50, 20)


def test_of_many_at_once_one_moves_a_version(states: SequenceStore) -> None:
    barrier, moved = threading.Barrier(8), []

    def contend() -> None:
        for version in range(20):
            barrier.wait()
            moved.append((version, states.move([move("a", SequenceState(version), b"")])[0]))

    threads = [threading.Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(version for version, is_moved in moved if is_moved) == list(range(20))


def test_without_redis_it_says_so(tmp_path: Path) -> None:
    with make_redis(make_settings(tmp_path, redis_url=f"unix://{tmp_path}/none.sock")) as client:
        states = SequenceStore(client)
        with pytest.raises(RedisUnavailable):
            states.read(["a"], [])
        with pytest.raises(RedisUnavailable):
            states.move([move("a", SequenceState(), b"")])
