"""What the integration tests stand on: a real Redis, a real PostgreSQL."""

from tests.factories.postgres_server import postgres
from tests.factories.redis_server import redis_process, redis_server

__all__ = ["postgres", "redis_process", "redis_server"]
