"""Who may know what a client uses, and how it is told."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from flask.testing import FlaskClient

from app.services.clients import ClientDraft
from app.services.usage_store import DayOfUse, Used
from tests.factories.web import WebWorker, make_worker

USED = {"requests": 3, "answered": 2, "caller_errors": 0, "refused": 1, "errors": 0, "rows": 5}
DAY = DayOfUse(day=date(2026, 1, 31), classes={"inference": Used(**USED)}, models={"digits": Used(**USED)})


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WebWorker]:
    """One whose limits do not begin anew while a test asks."""
    worker = make_worker(tmp_path, limit_inference="5000/hour", limit_management="50/hour")
    yield worker
    worker.services.close()


@pytest.fixture(autouse=True)
def days(worker: WebWorker) -> Iterator[mock.Mock]:
    with mock.patch.object(worker.services.usage, "days", autospec=True, return_value=[DAY]) as days:
        yield days


def bearer(worker: WebWorker, client_id: str, *scopes: str) -> dict[str, str]:
    issued = worker.services.clients.create(ClientDraft(client_id=client_id, scopes=frozenset(scopes)), by="test")
    return {"Authorization": f"Bearer {worker.services.tokens.issue(client_id, issued.secret).access_token}"}


def usage_of(client: FlaskClient, client_id: str, headers: dict[str, str], query: str = "") -> Any:
    return client.get(f"/api/v1/clients/{client_id}/usage{query}", headers=headers)


@pytest.mark.parametrize("scope", ["infer", "models:read", "jobs"])
def test_a_client_may_know_its_own(client: FlaskClient, worker: WebWorker, scope: str) -> None:
    answer = usage_of(client, "checkout", bearer(worker, "checkout", scope))

    assert answer.status_code == 200
    assert answer.json["client_id"] == "checkout"
    assert answer.json["days"] == [{"day": "2026-01-31", "classes": {"inference": USED}, "models": {"digits": USED}}]


def test_limits_say_where_it_stands(client: FlaskClient, worker: WebWorker) -> None:
    headers = bearer(worker, "checkout", "infer")
    for _ in range(2):
        client.post("/api/v1/images/classifications", headers=headers)
    limits = usage_of(client, "checkout", headers).json["limits"]

    assert (limits["inference"]["limit"], limits["inference"]["remaining"]) == (
        5000,
        5000 - limits["inference"]["used"],
    )
    # The one hit more is held back by this process.
    assert limits["inference"]["used"] in (2, 3)
    assert limits["inference"]["resets_at"].endswith("+00:00")
    assert (limits["management"]["limit"], limits["management"]["used"]) == (50, 1)


def test_asking_counts_nothing_of_inference(client: FlaskClient, worker: WebWorker) -> None:
    headers = bearer(worker, "checkout", "infer")
    limits = [usage_of(client, "checkout", headers).json["limits"] for _ in range(2)]

    idle = {"limit": 5000, "used": 0, "remaining": 5000, "resets_at": None}
    assert [one["inference"] for one in limits] == [idle, idle]


def test_admins_may_know_of_any_client(client: FlaskClient, worker: WebWorker, days: mock.Mock) -> None:
    bearer(worker, "checkout", "infer")
    answer = usage_of(client, "checkout", bearer(worker, "boss", "admin"), "?days=7")

    assert answer.status_code == 200
    assert days.call_args.args == ("checkout",)
    assert days.call_args.kwargs["count"] == 7


@pytest.mark.parametrize("unknown", ["nobody", "%20", "a:b"])
def test_admins_learn_that_there_is_no_such_client(client: FlaskClient, worker: WebWorker, unknown: str) -> None:
    answer = usage_of(client, unknown, bearer(worker, "boss", "admin"))

    assert (answer.status_code, answer.json["code"]) == (404, "client_not_found")


def test_others_learn_nothing_not_even_who_there_is(client: FlaskClient, worker: WebWorker) -> None:
    headers = bearer(worker, "checkout", "infer", "jobs", "models:read", "models:write")
    bearer(worker, "search", "infer")
    known, unknown = [usage_of(client, name, headers) for name in ("search", "nobody")]

    assert known.status_code == unknown.status_code == 403
    assert known.json | {"request_id": ""} == unknown.json | {"request_id": ""}
    assert known.json["code"] == "insufficient_scope"


@pytest.mark.parametrize("days", ["0", "367", "-1", "ten", "1.5", ""], indirect=False)
def test_days_are_checked(client: FlaskClient, worker: WebWorker, days: str) -> None:
    answer = usage_of(client, "checkout", bearer(worker, "checkout", "infer"), f"?days={days}")

    assert answer.status_code == 422
    assert "days" in answer.json["errors"]
