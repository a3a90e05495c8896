"""The directory on its way from the controller through Redis to callers, and wishes on their way back."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from app.inference import directory_reader
from app.inference.directory import (
    DIRECTORY_CHANNEL,
    EMPTY_DIRECTORY,
    WANTED_CHANNEL,
    WANTED_KEY,
    DirectorySnapshot,
    RunnerRecord,
)
from app.inference.directory_publisher import DirectoryPublisher
from app.inference.directory_reader import DirectoryReader
from app.inference.messages import RunnerState
from app.infra.redis import make_redis
from model_store.model_ref import ModelRef
from tests.factories.redis_server import RedisServer
from tests.factories.settings import make_settings
from tests.factories.waiting import wait_until

REF = ModelRef("digits", 1)


@pytest.fixture
def client(server: RedisServer, tmp_path: Path) -> Iterator[redis.Redis]:
    with make_redis(make_settings(tmp_path, redis_url=server.url, redis_timeout_s=0.2)) as client:
        yield client


@pytest.fixture
def publisher(client: redis.Redis) -> DirectoryPublisher:
    return DirectoryPublisher(client)


@pytest.fixture
def reader(client: redis.Redis) -> Iterator[DirectoryReader]:
    reader = DirectoryReader(client)
    reader.start()
    yield reader
    reader.stop()


def snapshot(*states: RunnerState, version: int = 1) -> DirectorySnapshot:
    records = [
        RunnerRecord(
            name="digits", version=version, digest="0" * 64, state=state, address=f"ipc://{number}", pid=1, host="here"
        )
        for number, state in enumerate(states)
    ]
    return DirectorySnapshot(published_at=time.time(), controller_pid=1, runners=records)


def test_directory_is_empty_before_the_first_snapshot(reader: DirectoryReader) -> None:
    assert reader.snapshot == EMPTY_DIRECTORY
    assert not reader.has_failed(REF)


def test_snapshot_published_earlier_is_read_at_the_start(publisher: DirectoryPublisher, client: redis.Redis) -> None:
    published = snapshot(RunnerState.READY)
    publisher.publish(published)
    reader = DirectoryReader(client)
    reader.start()

    wait_until(lambda: reader.snapshot == published)

    reader.stop()


def test_a_new_reader_waits_until_it_knows(publisher: DirectoryPublisher, reader: DirectoryReader) -> None:
    assert not reader.wait_known(0.0)
    publisher.publish(snapshot(RunnerState.READY))

    assert reader.wait_known(10.0)
    assert reader.ready(REF)


def test_change_is_heard(publisher: DirectoryPublisher, reader: DirectoryReader) -> None:
    wait_until(lambda: reader.is_connected)
    loading, ready = snapshot(RunnerState.LOADING), snapshot(RunnerState.READY)

    publisher.publish(loading)
    wait_until(lambda: reader.snapshot == loading)
    publisher.publish(ready)
    wait_until(lambda: reader.snapshot == ready)


def test_last_snapshot_is_kept_while_redis_is_away_and_replaced_after(
    server: RedisServer, publisher: DirectoryPublisher, reader: DirectoryReader
) -> None:
    before, after = snapshot(RunnerState.READY), snapshot(RunnerState.LOADING)
    wait_until(lambda: reader.is_connected)
    publisher.publish(before)
    wait_until(lambda: reader.snapshot == before)

    server.stop()
    wait_until(lambda: not reader.is_connected)
    publisher.publish(after)
    assert reader.snapshot == before
    server.start()
    publisher.publish(after)

    wait_until(lambda: reader.snapshot == after)


def test_unreadable_snapshot_changes_nothing(
    client: redis.Redis, publisher: DirectoryPublisher, reader: DirectoryReader
) -> None:
    before, after = snapshot(RunnerState.READY), snapshot(RunnerState.DRAINING)
    wait_until(lambda: reader.is_connected)
    publisher.publish(before)
    client.publish(DIRECTORY_CHANNEL, b"of a release to come")
    wait_until(lambda: reader.snapshot == before)

    publisher.publish(after)

    wait_until(lambda: reader.snapshot == after)


def test_only_ready_runners_of_the_version_are_handed_out(
    publisher: DirectoryPublisher, reader: DirectoryReader
) -> None:
    publisher.publish(snapshot(*RunnerState, RunnerState.READY))
    wait_until(lambda: reader.snapshot.runners)

    ready = [record.address for record in reader.ready(REF)]

    assert ready == ["ipc://1", "ipc://4"]
    assert [record.address for record in reader.ready(REF, excluding={"ipc://1"})] == ["ipc://4"]
    assert reader.ready(ModelRef("digits", 2)) == []


def test_waiting_ends_with_a_ready_runner(publisher: DirectoryPublisher, reader: DirectoryReader) -> None:
    wait_until(lambda: reader.is_connected)
    publisher.publish(snapshot(RunnerState.READY))

    assert len(reader.wait_ready(REF, time.monotonic() + 10)) == 1


def test_waiting_ends_when_the_load_has_failed(publisher: DirectoryPublisher, reader: DirectoryReader) -> None:
    wait_until(lambda: reader.is_connected)
    publisher.publish(snapshot(RunnerState.FAILED))
    started = time.monotonic()

    assert reader.wait_ready(REF, started + 10) == []
    assert time.monotonic() - started < 5


def test_waiting_ends_at_the_deadline(reader: DirectoryReader) -> None:
    assert reader.wait_ready(REF, time.monotonic() + 0.05) == []


def test_who_waits_wishes_again_when_redis_forgot(
    client: redis.Redis, reader: DirectoryReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_reader, "WISH_EVERY_S", 0.05)
    monkeypatch.setattr(directory_reader, "WISH_AGAIN_S", 0.1)
    reader.want(REF)
    client.flushall()

    reader.wait_ready(REF, time.monotonic() + 0.3)

    assert client.zrange(WANTED_KEY, 0, -1) == [b"digits/1"]


def test_waiting_for_the_end_of_service(publisher: DirectoryPublisher, reader: DirectoryReader) -> None:
    publisher.publish(snapshot(RunnerState.READY))
    wait_until(lambda: reader.ready(REF))
    assert not reader.wait_unready(REF, time.monotonic() + 0.05)

    publisher.publish(snapshot(RunnerState.DRAINING))

    assert reader.wait_unready(REF, time.monotonic() + 10)


def test_wish_is_recorded_and_told_once_a_second(client: redis.Redis, reader: DirectoryReader) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as listener:  # type: ignore[no-untyped-call]
        listener.subscribe(WANTED_CHANNEL)
        listener.get_message(timeout=5)
        for _ in range(10):
            reader.want(REF)
        heard = listener.get_message(timeout=5)
        again = listener.get_message(timeout=0.1)

    assert heard["data"] == b"digits/1"
    assert again is None
    assert client.zrange(WANTED_KEY, 0, -1) == [b"digits/1"]


def test_wish_without_redis_is_let_go(server: RedisServer, reader: DirectoryReader) -> None:
    server.stop()

    reader.want(REF)

    assert reader.ready(REF) == []
