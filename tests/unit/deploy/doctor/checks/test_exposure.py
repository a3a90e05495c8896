"""What others can reach or read is named, and is an error in production."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.doctor.case import Case
from deploy.doctor.checks import exposure
from deploy.doctor.finding import Finding
from tests.factories.doctor import make_case, the_one

Check = Callable[[Case], Iterator[Finding]]
LIVE: dict[str, Any] = {"environment": "production"}
OPEN: dict[str, Any] = {"host": "0.0.0.0"}
SQL = "postgresql+psycopg://galley@db.example/galley"
LOCAL_SQL = "postgresql+psycopg:///galley"


@pytest.mark.parametrize(
    ("check", "changes", "verdict"),
    [
        (exposure.environment, {}, "ok"),
        (exposure.environment, OPEN, "warning"),
        (exposure.environment, OPEN | LIVE, "ok"),
        (exposure.tls, {}, "ok"),
        (exposure.tls, OPEN, "warning"),
        (exposure.tls, OPEN | LIVE, "error"),
        (exposure.tls, LIVE, "warning"),
        (exposure.tls, OPEN | LIVE | {"trusted_proxies": 1}, "warning"),
        (exposure.tls, {"host": "10.1.2.3", "trusted_proxies": 1}, "warning"),
        (exposure.tls, LIVE | {"trusted_proxies": 1}, "ok"),
        (exposure.cors, {}, "ok"),
        (exposure.cors, {"cors_origins": ["*"]}, "warning"),
        (exposure.cors, LIVE | {"cors_origins": ["https://shop.example", "*"]}, "error"),
        (exposure.cors, {"cors_origins": ["http://shop.example"]}, "warning"),
        (exposure.cors, LIVE | {"cors_origins": ["https://shop.example", "http://localhost:3000"]}, "ok"),
        (exposure.wires, {}, "ok"),
        (exposure.wires, {"redis_url": "redis://cache.example"}, "warning"),
        (exposure.wires, {"state_redis_url": "redis://10.1.2.3"}, "warning"),
        (exposure.wires, {"redis_url": "rediss://cache.example"}, "ok"),
        (exposure.wires, {"redis_url": "redis://127.0.0.1:6379"}, "ok"),
        (exposure.wires, {"database_url": SQL}, "warning"),
        (exposure.wires, {"database_url": f"{SQL}?sslmode=prefer"}, "warning"),
        (exposure.wires, {"database_url": f"{SQL}?sslmode=verify-full"}, "ok"),
        (exposure.wires, {"database_url": "postgresql+psycopg:///galley"}, "ok"),
        (exposure.wires, {"database_url": f"{LOCAL_SQL}?host=db.example"}, "warning"),
        (exposure.wires, {"database_url": f"{LOCAL_SQL}?host=localhost,db.example"}, "warning"),
        (exposure.wires, {"database_url": f"{LOCAL_SQL}?host=127.0.0.1:5432&host=db.example:5432"}, "warning"),
        (exposure.wires, {"database_url": f"{LOCAL_SQL}?hostaddr=10.1.2.3"}, "warning"),
        (exposure.wires, {"database_url": f"{LOCAL_SQL}?host=db.example&sslmode=require"}, "ok"),
        (exposure.wires, {"database_url": f"{LOCAL_SQL}?host=/run/postgresql"}, "ok"),
        (exposure.wires, {"database_url": f"{LOCAL_SQL}?host=localhost:5432&host=[::1]:5433"}, "ok"),
    ],
)
def test_exposure(tmp_path: Path, check: Check, changes: dict[str, Any], verdict: str) -> None:
    assert the_one(check(make_case(tmp_path, **changes))).verdict == verdict


def test_no_password_is_told(tmp_path: Path) -> None:
    case = make_case(
        tmp_path, redis_url="redis://:hush-hush@cache.example", database_url=SQL.replace("@", ":hush-hush@")
    )

    finding = the_one(exposure.wires(case))
    assert "REDIS_URL, STATE_REDIS_URL, DATABASE_URL" in finding.says
    assert "hush-hush" not in repr(finding)
