"""Rules take what works, and refuse what would fail later."""

from typing import Any

import pytest
from environs import ValidationError

from app import setting_rules as rules

TAKEN: list[tuple[Any, Any]] = [
    (rules.positive, 0.001),
    (rules.not_negative, 0),
    (rules.verification_time, rules.LONGEST_VERIFICATION_S),
    (rules.database_url, "sqlite:////tmp/a.db"),
    (rules.database_url, "postgresql+psycopg://galley@/name?host=/tmp"),
    (rules.database_url, "postgresql+psycopg://galley:pass%2Fword@host:5432/name"),
    (rules.redis_url, "unix:///tmp/redis.sock"),
    (rules.redis_url, "rediss://:p%40ss@host:6380/0"),
    (rules.rate_limit, "10/minute"),
    (rules.origins, ["https://a.example", "*"]),
]
REFUSED: list[tuple[Any, Any]] = [
    (rules.positive, 0),
    (rules.not_negative, -1),
    (rules.verification_time, rules.LONGEST_VERIFICATION_S + 1),
    (rules.database_url, "mysql://host/name"),
    (rules.database_url, "postgresql+psycopg://galley:pass/word@host/name"),
    (rules.redis_url, "host:6379"),
    (rules.redis_url, "redis://:pass/word@host"),
    (rules.rate_limit, "0/minute"),
    (rules.rate_limit, "10/minutes"),
    (rules.origins, ["https://a.example/"]),
]


@pytest.mark.parametrize(("rule", "value"), TAKEN)
def test_what_works_is_taken(rule: Any, value: Any) -> None:
    rule(value)


@pytest.mark.parametrize(("rule", "value"), REFUSED)
def test_what_would_fail_later_is_refused(rule: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        rule(value)


@pytest.mark.parametrize("rule", [rules.database_url, rules.redis_url])
def test_no_sentence_repeats_a_password(rule: Any) -> None:
    scheme = "redis" if rule is rules.redis_url else "postgresql+psycopg"

    with pytest.raises(ValidationError) as error:
        rule(f"{scheme}://galley:hunter/2@host")

    assert "hunter" not in str(error.value)
