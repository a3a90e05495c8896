"""Everything that stands in production, on one machine: nginx with TLS, the stack, PostgreSQL and two Redis servers."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import httpx

from tests.factories.nginx import Nginx, running_nginx
from tests.factories.postgres_server import PostgresServer, running_postgres
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.stack import ROOT, Stack, running_stack

STATE_CONFIG, CACHE_CONFIG = ROOT / "deploy" / "redis-state.conf", ROOT / "deploy" / "redis-cache.conf"
# Over the file: every write is on the disk before it is acknowledged, so that tests may demand that nothing is lost.
AT_ONCE = ("--appendfsync", "always")
# Over the file: so little that it makes room now and then.
LITTLE = ("--maxmemory", "64mb")


@dataclass(frozen=True, kw_only=True)
class FullStack:
    """The running parts. `redis` may forget, `state_redis` must not."""

    stack: Stack
    nginx: Nginx
    postgres: PostgresServer
    database_url: str
    redis: RedisServer
    state_redis: RedisServer

    @property
    def url(self) -> str:
        """Where callers go: nginx, by TLS."""
        return self.nginx.url

    def client(self, token: str | None = None) -> httpx.Client:
        """Return an HTTP client through nginx and TLS, the admin's unless it has another's token."""
        headers = {"Authorization": f"Bearer {token or self.stack.token()}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=self.nginx.tls)

    def supervisorctl(self, *words: str) -> str:
        """Do as an operator would with `supervisorctl`; return what it said."""
        return self.stack.supervisorctl(*words)


def running_state_redis() -> AbstractContextManager[RedisServer]:
    """Run the Redis that must not forget, by the file that is shipped for it."""
    return running_redis(*AT_ONCE, config=STATE_CONFIG)


def running_cache_redis() -> AbstractContextManager[RedisServer]:
    """Run the Redis that may forget, by the file that is shipped for it."""
    return running_redis(*LITTLE, config=CACHE_CONFIG)


@contextmanager
def running_full_stack(like: Stack | None = None, **environment: str) -> Iterator[FullStack]:
    """Run everything in folders of its own; `like` lends its models, `environment` are settings besides."""
    with ExitStack() as parts:
        postgres = parts.enter_context(running_postgres())
        redis = parts.enter_context(running_cache_redis())
        state_redis = parts.enter_context(running_state_redis())
        database_url = postgres.make_database()
        variables = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis.url,
            "STATE_REDIS_URL": state_redis.url,
            "TRUSTED_PROXIES": "1",
            **environment,
        }
        stack = parts.enter_context(running_stack(like, variables=variables))
        nginx = parts.enter_context(running_nginx(stack.port))
        yield FullStack(
            stack=stack,
            nginx=nginx,
            postgres=postgres,
            database_url=database_url,
            redis=redis,
            state_redis=state_redis,
        )
