"""What the integration tests stand on: a real Redis."""

from tests.factories.redis_server import redis_process, redis_server

__all__ = ["redis_process", "redis_server"]
