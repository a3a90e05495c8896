"""What clients used, counted by several workers in a real Redis that may be away for a while."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from app.infra.redis import make_redis
from app.services.usage import UsageLog
from app.services.usage_store import DAY_S, MOST_FIELDS, DayOfUse, UsageStore, Use, Used, make_batch
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import make_settings
from tests.factories.web import make_worker

KEEP_DAYS = 30


@pytest.fixture
def store(redis_client: redis.Redis) -> UsageStore:
    return UsageStore(redis_client, keep_days=KEEP_DAYS)


def today(store: UsageStore) -> DayOfUse:
    [day] = store.days("checkout", until=time.time(), count=1)
    return day


def test_workers_add_up(store: UsageStore) -> None:
    logs = [UsageLog(store) for _ in range(2)]
    for turn in range(10):
        logs[turn % 2].note("checkout", "inference", 200 if turn < 7 else 429, "digits" if turn < 7 else "", 2)
        logs[turn % 2].flush()

    used = today(store)
    assert used.classes == {"inference": Used(requests=10, answered=7, refused=3, rows=20)}
    assert used.models == {"digits": Used(requests=7, answered=7, rows=14)}


def test_a_batch_sent_twice_is_counted_once(store: UsageStore) -> None:
    batch = make_batch({Use(int(time.time() // DAY_S), "checkout", "inference", "", 200): (5, 0)})
    for _ in range(2):
        store.add(batch)

    assert today(store).classes["inference"].requests == 5


def test_days_are_told_newest_first_without_the_empty_ones(store: UsageStore) -> None:
    day = int(time.time() // DAY_S)
    for back in (0, 3, 40):
        store.add(make_batch({Use(day - back, "checkout", "inference", "", 200): (1 + back, 0)}))
    days = store.days("checkout", until=day * DAY_S, count=KEEP_DAYS)

    assert [one.classes["inference"].requests for one in days] == [1, 4]
    assert (days[0].day - days[1].day).days == 3


def test_days_expire(store: UsageStore, redis_client: redis.Redis) -> None:
    store.add(make_batch({Use(int(time.time() // DAY_S), "checkout", "inference", "", 200): (1, 0)}))
    [key] = redis_client.scan_iter("galley:usage:checkout:*")

    assert KEEP_DAYS * DAY_S < redis_client.ttl(key) <= (KEEP_DAYS + 1) * DAY_S


def test_a_day_has_a_bounded_number_of_models(store: UsageStore, redis_client: redis.Redis) -> None:
    day = int(time.time() // DAY_S)
    models = {Use(day, "checkout", "inference", f"model-{number}", 200): (1, 0) for number in range(MOST_FIELDS)}
    store.add(make_batch({Use(day, "checkout", "inference", "", 200): (1, 0)}))
    store.add(make_batch(models))
    [key] = redis_client.scan_iter("galley:usage:checkout:*")

    assert redis_client.hlen(key) == MOST_FIELDS
    assert today(store).classes["inference"].requests == 1 + MOST_FIELDS


def test_what_was_counted_while_redis_was_away_arrives(tmp_path: Path) -> None:
    with running_redis() as server, make_redis(make_settings(tmp_path, redis_url=server.url)) as client:
        store = UsageStore(client, keep_days=KEEP_DAYS)
        log = UsageLog(store)
        server.stop()
        for _ in range(3):
            log.note("checkout", "inference", 200)
            assert not log.flush()
        server.start()

        assert log.flush()
        assert today(store).classes["inference"].requests == 3


def test_the_route_tells_what_all_workers_counted(redis_server: RedisServer, tmp_path: Path) -> None:
    with ExitStack() as stack:
        # Limits of an hour: those of a second have begun anew before the last question, on a slow machine.
        shared = {"redis_url": redis_server.url, "limit_management": "50/hour"}
        workers = [make_worker(tmp_path, **shared) for _ in range(2)]
        headers = workers[0].bearer()
        for worker in workers:
            stack.callback(worker.services.close)
            worker.app.test_client().get("/api/v1/models", headers=headers)
            worker.app.test_client().get("/api/v1/models/none", headers=headers)
            assert worker.services.usage.flush()
        [me] = [facts.client_id for facts in workers[0].services.clients.page()]
        answer = workers[0].app.test_client().get(f"/api/v1/clients/{me}/usage", headers=headers)

    used = {"requests": 4, "answered": 2, "caller_errors": 2, "refused": 0, "errors": 0, "rows": 0}
    told: Any = answer.json
    assert told["days"][0]["classes"] == {"management": used}
    assert told["limits"]["management"]["used"] == 5


def test_without_redis_the_route_says_so(tmp_path: Path) -> None:
    worker = make_worker(tmp_path)
    headers = worker.bearer()
    [me] = [facts.client_id for facts in worker.services.clients.page()]
    answer = worker.app.test_client().get(f"/api/v1/clients/{me}/usage", headers=headers)
    worker.services.close()

    told: Any = answer.json
    assert (answer.status_code, told["code"]) == (503, "redis_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
