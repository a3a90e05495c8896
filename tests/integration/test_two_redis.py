"""Two Redis servers: nothing of the state is lost to a full cache, and either may be away without the other's work."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from app.errors import RedisUnavailable
from app.factory import make_services
from app.inference.cache_keys import shared_key
from app.inference.directory import DIRECTORY_KEY, DirectorySnapshot
from app.inference.directory_publisher import DirectoryPublisher
from app.inference.heavy_messages import HeavyCall
from app.inference.heavy_queue import HeavyQueue
from app.infra.broker_queues import BrokerQueues
from app.infra.rate_limit import FallbackWindows
from app.infra.task_names import QueueName, TaskName
from app.services.assignment_batches import make_batch as make_assignment_batch
from app.services.experiment_store import ExperimentStore
from app.services.stream_sessions import TAKEN_CHANNEL, SessionFacts
from app.services.usage_store import DAY_S, UsageStore, Use, make_batch
from app.settings import Settings
from app.web.extensions import Services
from tests.factories.assignments import KEEPING, make_assignment
from tests.factories.database import migrate
from tests.factories.full_stack import CACHE_CONFIG, STATE_CONFIG
from tests.factories.lobbies import anything_goes
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import make_settings
from tests.factories.waiting import wait_until
from workers.runner.sequence_store import Kept, Move, SequenceState, SequenceStore

CACHE_BYTES: Final = 2 * 2**20
FACTS: Final = SessionFacts(client_id="shop", stream="fraud", model="fraud", version=1)
CALL: Final = HeavyCall(name="giant", version=1, digest="d", limit_s=60.0, client_id="shop")
OF_THE_CACHE: Final = ("galley:cache:", "galley:limit:", DIRECTORY_KEY)


@pytest.fixture
def cache() -> Iterator[RedisServer]:
    """A small Redis that forgets, by deploy/redis-cache.conf."""
    with running_redis("--maxmemory", str(CACHE_BYTES), config=CACHE_CONFIG) as server:
        yield server


@pytest.fixture
def state() -> Iterator[RedisServer]:
    """The Redis that must not forget, by deploy/redis-state.conf."""
    with running_redis(config=STATE_CONFIG) as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, cache: RedisServer, state: RedisServer) -> Settings:
    return make_settings(tmp_path, redis_url=cache.url, state_redis_url=state.url, redis_timeout_s=0.2)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    with closing(make_services(settings)) as services:
        yield services


def no_shares(_name: str, _revision: int) -> None:
    """Know nothing of how buckets were dealt."""


def write_state(services: Services) -> None:
    """Write something of every kind that must not be lost, as the parts of the product do."""
    day = int(time.time() // DAY_S)
    services.sessions.open(FACTS)
    services.places.take("shop")
    services.tasks.send(TaskName.CHECK_STORE)
    UsageStore(services.state_redis, keep_days=30).add(make_batch({Use(day, "shop", "inference", "", 200): (5, 0)}))
    ExperimentStore(services.state_redis).add(make_assignment_batch([make_assignment()], KEEPING, shares_of=no_shares))
    kept = Kept("galley:answer:shop:1", b"declined", 1000)
    SequenceStore(services.state_redis).move(
        [Move("galley:state:shop", SequenceState(), SequenceState(1, b"past"), 1000, [kept])]
    )
    with closing(HeavyQueue(services.settings)) as queue:
        queue.workers.announce("here", 1)
        queue.put(queue.enter(CALL, [b"row"]).ticket, CALL, [b"row"])


def write_cache(services: Services, *, answers: int) -> None:
    """Write what may be forgotten: the directory, a limit, and so many kept answers of 4 kB."""
    DirectoryPublisher(services.redis).publish(DirectorySnapshot(published_at=1.0, controller_pid=1))
    FallbackWindows(services.redis).add("shop", 1, 60)
    with services.redis.pipeline(transaction=False) as trip:
        for number in range(answers):
            trip.set(shared_key(number.to_bytes(16, "big")), bytes(4096), px=600_000)
        trip.execute()


def contents(services: Services) -> dict[bytes, bytes | None]:
    """Return all that the state Redis holds."""
    return {key: services.state_redis.dump(key) for key in services.state_redis.scan_iter()}


def test_a_cache_that_overflows_forgets_answers_and_nothing_else(services: Services) -> None:
    write_state(services)
    before = contents(services)
    for _ in range(3):
        write_cache(services, answers=1000)

    assert services.redis.info("stats")["evicted_keys"] > 0
    assert services.redis.get(shared_key((999).to_bytes(16, "big"))) == bytes(4096)
    assert services.redis.exists(DIRECTORY_KEY)
    assert len(before) > 10
    assert contents(services) == before


def test_nothing_of_one_is_in_the_other(services: Services) -> None:
    write_state(services)
    write_cache(services, answers=3)

    in_cache = {key.decode() for key in services.redis.scan_iter()}
    in_state = {key.decode() for key in contents(services)}
    assert {key for key in in_cache if not key.startswith(OF_THE_CACHE)} == set()
    assert {key for key in in_state if key.startswith(OF_THE_CACHE)} == set()
    assert len(in_cache) == 5


def test_state_is_served_without_the_cache(services: Services, cache: RedisServer) -> None:
    cache.stop()
    write_state(services)
    token = services.sessions.open(FACTS).resume_token
    resumed = services.sessions.resume(token, client_id="shop", stream="fraud", check=anything_goes)

    assert resumed.epoch == 2
    assert BrokerQueues(services.state_redis).count([QueueName.UPKEEP.value]) == 1


def ask_for_a_session(services: Services) -> None:
    services.sessions.open(FACTS)


def ask_for_a_place(services: Services) -> None:
    services.places.take("shop")


def send_a_task(services: Services) -> None:
    services.tasks.send(TaskName.CHECK_STORE)


def score_a_payment(services: Services) -> None:
    SequenceStore(services.state_redis).read(["galley:state:shop"], [])


@pytest.mark.parametrize("ask", [ask_for_a_session, ask_for_a_place, send_a_task, score_a_payment])
def test_without_the_state_limits_and_answers_are_still_shared(
    services: Services, settings: Settings, state: RedisServer, ask: Callable[[Services], None]
) -> None:
    state.stop()
    write_cache(services, answers=1)

    with closing(make_services(settings)) as other:
        assert FallbackWindows(other.redis).add("shop", 1, 60).count == 2
        assert other.redis.get(shared_key(bytes(16))) == bytes(4096)
    with pytest.raises(RedisUnavailable):
        ask(services)


def test_a_session_that_goes_on_elsewhere_is_told_of_without_the_cache(
    services: Services, settings: Settings, cache: RedisServer
) -> None:
    heard: list[tuple[str, int]] = []
    services.sessions.on_taken(lambda session_id, epoch: heard.append((session_id, epoch)))
    session = services.sessions.open(FACTS)
    cache.stop()
    migrate(settings.database_url)
    services.start()
    wait_until(lambda: services.state_redis.pubsub_numsub(TAKEN_CHANNEL)[0][1])
    with closing(make_services(settings)) as other:
        other.sessions.resume(session.resume_token, client_id="shop", stream="fraud", check=anything_goes)
        wait_until(lambda: heard)

    assert heard == [(session.id, 2)]
