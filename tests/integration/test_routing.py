"""Web workers over one database: a change made in one is followed by all within a second, with Redis and without."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from app.db.migrate import upgrade
from app.factory import make_services
from app.services.aliases import AliasMove
from app.services.route_draft import RouteDraft, Variant
from app.web.extensions import Services
from tests.factories.redis_server import running_redis
from tests.factories.settings import make_settings
from tests.factories.versions import accept, make_draft
from tests.factories.waiting import wait_until

FOLLOWED_WITHIN_S = 1.0


@pytest.fixture(params=["with redis", "without redis"])
def redis_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "without redis":
        yield f"unix://{tmp_path}/no-redis.sock"
        return

    with running_redis() as server:
        yield server.url


@pytest.fixture
def workers(tmp_path: Path, redis_url: str) -> Iterator[tuple[Services, Services]]:
    """Two workers that know tiny/1, the default, and tiny/2."""
    settings = make_settings(tmp_path, redis_url=redis_url)
    upgrade(settings.database_url)
    with ExitStack() as stack:
        here, there = (make_services(settings) for _ in range(2))
        for _ in range(2):
            here.releases.release(make_draft(tmp_path), prove=accept, by="test")
        for services in (here, there):
            stack.callback(services.close)
            services.start()
        yield here, there


def is_followed(worker: Services, version: int, variant: str | None) -> bool:
    resolved = worker.routing.resolve("tiny", subject="user-1")
    return (resolved.ref.version, resolved.variant) == (version, variant)


def test_a_moved_alias_is_followed_by_all(workers: tuple[Services, Services]) -> None:
    here, there = workers
    for version in (2, 1, 2):
        here.aliases.set("tiny", "default", AliasMove(version=str(version), by="test"))

        wait_until(partial(is_followed, there, version, None), timeout_s=FOLLOWED_WITHIN_S)


def test_a_route_is_followed_by_all(workers: tuple[Services, Services]) -> None:
    here, there = workers
    here.routes.put("tiny", RouteDraft(variants=[Variant(name="new", version=2, weight=1)]), by="test")
    wait_until(partial(is_followed, there, 2, "new"), timeout_s=FOLLOWED_WITHIN_S)

    here.routes.delete("tiny", by="test")
    wait_until(partial(is_followed, there, 1, None), timeout_s=FOLLOWED_WITHIN_S)
