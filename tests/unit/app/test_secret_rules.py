"""How good secrets have to be, and that no sentence repeats one."""

import random
from typing import Any

import pytest

from app.secret_rules import has_password_in_query, password_of, secret_problems

GOOD = "9f8a1c3e5b7d20469f8a1c3e5b7d2046"


def values(**changes: Any) -> dict[str, Any]:
    return {"environment": "production", "jwt_secret": GOOD, "database_url": "sqlite:///x", "redis_url": "", **changes}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"jwt_secret": "x" * 40}, "JWT_SECRET"),
        ({"jwt_secret": "ChangeMe-0123456789-abcdefghijklmnop"}, "JWT_SECRET"),
        ({"jwt_secret": None}, "JWT_SECRET"),
        ({"jwt_secret": "k" * 31}, "JWT_SECRET"),
        ({"database_url": "postgresql+psycopg://galley:galley@host/galley"}, "DATABASE_URL"),
        ({"database_url": "postgresql+psycopg://galley:mypasswordmypassword@host/galley"}, "DATABASE_URL"),
        ({"redis_url": "redis://:foobared@host"}, "REDIS_URL"),
        ({"state_redis_url": "redis://:foobared@host"}, "STATE_REDIS_URL"),
        ({"store_url": "ftp://galley:12345678@host/store"}, "STORE_URL"),
    ],
)
def test_production_refuses_what_could_be_guessed(changes: dict[str, Any], name: str) -> None:
    problems = secret_problems(values(**changes))

    assert list(problems) == [name]
    assert "galley" not in str(problems)


@pytest.mark.parametrize(
    "url", ["sqlite:////var/galley.db", "postgresql+psycopg://galley@/galley?host=/run", "unix:///r"]
)
def test_who_needs_no_password_is_asked_for_none(url: str) -> None:
    assert secret_problems(values(database_url=url)) == {}


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("database_url", f"postgresql+psycopg://galley@host/galley?password={GOOD}"),
        ("state_redis_url", f"unix:///run/redis.sock?db=0&password={GOOD}"),
        ("redis_url", "redis://host?password="),
    ],
)
def test_no_password_hides_among_the_options_of_a_url(environment: str, name: str, url: str) -> None:
    problems = secret_problems(values(environment=environment, **{name: url}))

    assert list(problems) == [name.upper()]
    assert GOOD not in str(problems)


@pytest.mark.parametrize("url", ["postgresql+psycopg://[galley", "ftp://[::1?password=x"])
def test_what_is_no_url_has_no_password_in_it(url: str) -> None:
    assert not has_password_in_query(url)


def test_random_secrets_are_good() -> None:
    source = random.Random(7)
    for _ in range(200):
        key, password = source.randbytes(32).hex(), source.randbytes(12).hex()
        assert secret_problems(values(jwt_secret=key, redis_url=f"redis://:{password}@host")) == {}


def test_development_takes_any_password_but_no_short_key() -> None:
    changes = {"environment": "development", "redis_url": "redis://:foobared@host"}

    assert secret_problems(values(**changes)) == {}
    assert list(secret_problems(values(**changes, jwt_secret="short"))) == ["JWT_SECRET"]


def test_a_key_is_counted_in_bytes() -> None:
    assert secret_problems(values(environment="development", jwt_secret="ü" * 16)) == {}


def test_what_is_no_url_has_no_password() -> None:
    assert password_of("redis://[::1") == ""
