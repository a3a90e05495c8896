"""The web tier wired for real: what it builds, and what it touches when."""

from pathlib import Path

import pytest

from app.db.migrate import upgrade
from app.factory import create_app, make_services
from app.infra.redis import make_redis
from app.services.catalog import CATALOG_CHANNEL
from app.setting_rules import SettingsError
from app.web.extensions import services_of
from tests.factories.redis_server import running_redis
from tests.factories.settings import make_settings
from tests.factories.versions import accept, make_draft
from tests.factories.waiting import wait_until


def test_building_touches_nothing(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path / "not-there"))
    services_of(app).close()

    assert not (tmp_path / "not-there" / "galley.db").exists()


def test_broken_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "no number")

    with pytest.raises(SettingsError, match="PORT"):
        create_app()


def test_release_reaches_routing_by_redis(tmp_path: Path) -> None:
    with running_redis() as redis_server:
        settings = make_settings(tmp_path, redis_url=redis_server.url)
        upgrade(settings.database_url)
        services = make_services(settings)
        # Without this the thread would find the release by itself within a second.
        services.routing._every_s = 3600.0
        services.start()
        with make_redis(settings) as redis_client:
            wait_until(lambda: dict(redis_client.pubsub_numsub(CATALOG_CHANNEL))[CATALOG_CHANNEL.encode()] == 1)

        services.releases.release(make_draft(tmp_path), prove=accept, by="test")

        wait_until(lambda: "tiny" in services.routing.catalog)
        services.close()


def test_app_without_any_outside_part_answers_and_says_what_is_missing(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path))
    client = app.test_client()

    live, ready = client.get("/health/live"), client.get("/health/ready")
    services_of(app).close()

    assert live.status_code == 200
    assert ready.status_code == 503
    assert {name for name, part in ready.json["parts"].items() if not part["ready"]} >= {"database", "directory"}
