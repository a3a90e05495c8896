"""A PostgreSQL and a Redis that tests share, its client, a Redis of a test's own, a caller of a module's web worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from app.infra.redis import make_redis
from tests.factories.postgres_server import postgres
from tests.factories.redis_server import RedisServer, redis_process, redis_server, running_redis
from tests.factories.settings import make_settings
from tests.factories.web import WebWorker

__all__ = ["postgres", "redis_process", "redis_server"]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of the test's own, which it may stop and freeze."""
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_client(redis_server: RedisServer, tmp_path: Path) -> Iterator[redis.Redis]:
    """A client, as processes of the product have one, of the Redis that tests share, which is without keys."""
    with make_redis(make_settings(tmp_path, redis_url=redis_server.url)) as client:
        yield client


@pytest.fixture
def caller(web: WebWorker) -> FlaskClient:
    """A test client of the module's web worker, with a token."""
    client = web.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = web.bearer()["Authorization"]
    return client
