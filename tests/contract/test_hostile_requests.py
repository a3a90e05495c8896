"""What strangers try on every route: ways out of folders, JSON without end, and questions about what is others'."""

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from app.services.clients import ClientDraft
from app.services.jobs import JobDraft
from tests.factories.web import WebWorker

ARGUMENT = re.compile(r"<[^>]+>")
# It takes any members, as the protocol has it, and reads one.
LENIENT = "/v2/repository/index"
WAYS_OUT = (
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "..%5c..%5csecrets",
    "%2fetc%2fpasswd",
    "digits%00.pt",
    ".staging",
    "%0d%0aX-Injected:%20yes",
)
BOMBS = (
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"user_id": ' + b"9" * 500_000 + b"}",
    b'{"user_id": 1e999999}',
    b'{"user_id": NaN}',
    b'{"grant_type": "\\ud800"}',
)


@pytest.fixture
def rules(worker: WebWorker) -> list[Rule]:
    return [rule for rule in worker.app.url_map.iter_rules() if rule.endpoint != "static"]


def calls(rule: Rule, argument: str) -> Iterator[tuple[str, str]]:
    path = ARGUMENT.sub(lambda _: argument, rule.rule)
    yield from ((method, path) for method in sorted(rule.methods or ()) if method not in {"HEAD", "OPTIONS"})


@pytest.mark.parametrize("way", WAYS_OUT)
def test_no_name_leads_out_of_its_folder(worker: WebWorker, client: FlaskClient, rules: list[Rule], way: str) -> None:
    headers = worker.bearer()
    asked = [call for rule in rules if rule.arguments for call in calls(rule, way)]

    for method, path in asked:
        with client.open(path, method=method, headers=headers, json={}) as response:
            assert 400 <= response.status_code < 500, f"{method} {path}"
            assert "X-Injected" not in response.headers
            assert "root:" not in response.text
    assert len(asked) > 20


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb[:16])
def test_json_without_end_is_refused_by_every_route(
    worker: WebWorker, client: FlaskClient, rules: list[Rule], bomb: bytes
) -> None:
    headers = {**worker.bearer(), "Content-Type": "application/json"}
    asked = [call for rule in rules for call in calls(rule, "unheard-of") if call[0] in {"POST", "PUT"}]

    for method, path in asked:
        with client.open(path, method=method, headers=headers, data=bomb) as response:
            assert 400 <= response.status_code < 500 or path == LENIENT, f"{method} {path}"
            assert response.status_code < 500
    assert len(asked) > 10


def told(client: FlaskClient, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    answer = client.get(path, headers=headers)
    name = path.rpartition("/")[2]
    return answer.status_code, {
        key: str(value).replace(name, "*") for key, value in answer.json.items() if key != "request_id"
    }


def test_jobs_of_others_are_told_as_those_that_never_were(worker: WebWorker, client: FlaskClient) -> None:
    job = worker.services.jobs.create(JobDraft(kind="verification", client_id="another", model_name="churn"))
    stranger, path = worker.bearer(scopes=frozenset({"jobs"})), f"/api/v1/jobs/{job.id}"

    assert client.get(path, headers=worker.bearer()).status_code == 200
    assert told(client, path, stranger) == told(client, "/api/v1/jobs/" + "f" * 32, stranger)


def test_who_is_no_client_is_told_as_one_with_a_wrong_secret(worker: WebWorker, client: FlaskClient) -> None:
    issued = worker.services.clients.create(ClientDraft(scopes=frozenset({"infer"})), by="test")
    wrong = issued.secret[:-1] + ("a" if issued.secret[-1] != "a" else "b")
    answers = []
    for client_id in (issued.client.client_id, "nobody"):
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": wrong}
        answer = client.post("/auth/token", data=form)
        answers.append((answer.status_code, answer.json | {"request_id": ""}, answer.headers["WWW-Authenticate"]))

    assert answers[0] == answers[1]
