"""Celery finds the Redis that the settings name."""

from pathlib import Path

import pytest

from app.infra.broker import broker_url, queue_keys, transport_options
from tests.factories.settings import make_settings


@pytest.mark.parametrize(
    ("redis_url", "expected"),
    [
        ("unix:///run/galley/redis.sock", "redis+socket:///run/galley/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
        ("redis://:secret@redis.example:6379/1", "redis://:secret@redis.example:6379/1"),
        ("rediss://redis.example", "rediss://redis.example"),
    ],
)
def test_url_is_spelled_as_celery_wants_it(redis_url: str, expected: str) -> None:
    assert broker_url(redis_url) == expected


def test_no_call_waits_forever(tmp_path: Path) -> None:
    options = transport_options(make_settings(tmp_path, redis_timeout_s=0.7))

    assert options["socket_timeout"] == 0.7
    assert options["socket_connect_timeout"] == 0.7


def test_queue_has_a_list_for_each_priority() -> None:
    keys = queue_keys("heavy")

    assert keys[0] == "heavy"
    assert len(set(keys)) == len(keys) > 1
