"""Fixtures of the checks on the benchmarks."""

from tests.factories.redis_server import redis_process, redis_server

__all__ = ["redis_process", "redis_server"]
