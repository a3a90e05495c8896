"""One request id and one trace, found in the log of every process that worked for a request."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from app.infra.task_names import TaskName
from tests.factories.nginx import Nginx, running_nginx
from tests.factories.stack import Stack, classify, ended_job, running_stack
from tests.factories.stream_socket import StreamSocket
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

PATIENCE_S = 60.0
NAME, HEAVY = "traced", "traced-heavy"
Line = dict[str, Any]


@dataclass(frozen=True)
class Followed:
    """A request that its caller traces and records."""

    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def request_id(self) -> str:
        return f"request-{self.span_id}"

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Request-ID": self.request_id, "traceparent": f"00-{self.trace_id}-{self.span_id}-01"}


@dataclass(frozen=True)
class Logs:
    """What all processes of a stack have logged."""

    stack: Stack
    nginx: Nginx

    def lines(self, part: str, followed: Followed, **members: Any) -> list[Line]:
        """Return the lines of a part that tell of a request, and have these members."""
        text = self.nginx.access_log.read_text() if part == "nginx" else self.stack.log_of(part)
        lines = [json.loads(line) for line in text.splitlines() if followed.request_id in line and line.endswith("}")]
        mine = [line for line in lines if line["request_id"] == followed.request_id]
        assert {line["trace_id"] for line in mine} <= {followed.trace_id}
        return [line for line in mine if members.items() <= line.items()]

    def wait(self, part: str, followed: Followed, **members: Any) -> Line:
        """Return the first such line, which may still be on its way."""
        wait_until(lambda: self.lines(part, followed, **members), timeout_s=PATIENCE_S)
        return self.lines(part, followed, **members)[0]


@pytest.fixture(scope="module")
def logs(stack: Stack) -> Iterator[Logs]:
    """The logs of a stack of its own behind nginx: it gets another model."""
    with running_stack(like=stack) as own, running_nginx(own.port) as nginx:
        yield Logs(own, nginx)


@pytest.fixture
def followed() -> Followed:
    return Followed()


@pytest.fixture
def client(logs: Logs, followed: Followed) -> Iterator[httpx.Client]:
    """The admin, by way of nginx, whose every request is the one that is followed."""
    with logs.nginx.client(logs.stack.token()) as client:
        client.headers.update(followed.headers)
        yield client


def assert_served(logs: Logs, followed: Followed, *, model: str) -> None:
    """Assert that nginx, the web worker and the runner tell of an inference, each span below the one before."""
    logs.wait("nginx", followed)
    web = logs.wait("web", followed, event="request", model=model)
    runner = logs.wait("controller", followed, event="call", model=model)
    assert web["parent_span_id"] == followed.span_id
    assert runner["parent_span_id"] == web["span_id"]


def test_an_image(logs: Logs, client: httpx.Client, followed: Followed) -> None:
    assert classify(client, logs.stack.picture.read_bytes()).headers["x-request-id"] == followed.request_id

    assert_served(logs, followed, model="digits")


def test_a_recommendation(logs: Logs, client: httpx.Client, followed: Followed) -> None:
    client.post("/api/v1/recommendations", json={"user_id": 4711, "k": 3}).raise_for_status()

    assert_served(logs, followed, model="recommender")


def test_an_inference_of_tensors(logs: Logs, client: httpx.Client, followed: Followed) -> None:
    client.post("/v2/models/digits/infer", json=_blank(logs, client)).raise_for_status()

    assert_served(logs, followed, model="digits")


def test_a_call_of_a_heavy_model(logs: Logs, client: httpx.Client, followed: Followed) -> None:
    ended_job(client, client.post(f"/api/v1/models/{HEAVY}/versions", files=_parts(logs, HEAVY, execution="heavy")))
    body = _blank(logs, client)
    # Refused as long as no worker has said that it has room.
    wait_until(lambda: client.post(f"/v2/models/{HEAVY}/versions/1/infer", json=body).is_success, timeout_s=PATIENCE_S)

    web = logs.wait("web", followed, event="request", model=HEAVY, status=200)
    task = TaskName.INFER_HEAVY.value
    done = logs.wait("celery", followed, event="task_succeeded", task=task, parent_span_id=web["span_id"])
    assert (done["model"], done["version"]) == (HEAVY, 1)


@pytest.mark.parametrize("stream", ["text", "fraud"])
def test_a_socket(logs: Logs, followed: Followed, stream: str) -> None:
    lines = [f"{name}: {value}" for name, value in followed.headers.items()]
    with StreamSocket(logs.nginx.port, stream, *lines, tls=logs.nginx.tls) as socket:
        assert socket.greet(logs.stack.token())["type"] == "ready"
        answer = socket.ask(_payment(followed)) if stream == "fraud" else _write(socket)
        assert answer["seq"] == 1
        socket.say(type="bye")
        assert socket.close_code() == 1000

    assert_served(logs, followed, model=stream)


def test_a_job(logs: Logs, client: httpx.Client, followed: Followed) -> None:
    posted = client.post("/api/v1/jobs", json={"kind": "recommendations", "inputs": [{"user_id": 1}, {"user_id": 2}]})
    job_id = ended_job(client, posted)

    web = logs.wait("web", followed, event="request", method="POST", status=202)
    plan = logs.wait("celery", followed, event="task_succeeded", task=TaskName.PLAN_JOB.value, job=job_id)
    chunk = logs.wait("celery", followed, event="task_succeeded", task=TaskName.RUN_CHUNK.value, job=job_id)
    assert plan["parent_span_id"] == chunk["parent_span_id"] == web["span_id"]


def test_a_version(logs: Logs, client: httpx.Client, followed: Followed) -> None:
    """From the upload over its verification in Celery to the controller, which starts a runner for it."""
    posted = client.post(f"/api/v1/models/{NAME}/versions", files=_parts(logs, NAME))
    ended_job(client, posted)

    logs.wait("nginx", followed)
    web = logs.wait("web", followed, event="request", method="POST", status=202)
    verified = logs.wait("celery", followed, event="task_succeeded", task=TaskName.VERIFY_VERSION.value)
    told = logs.wait("controller", followed, event="the catalog was changed")
    assert verified["parent_span_id"] == web["span_id"]
    assert told["parent_span_id"] == verified["span_id"]


def test_who_sends_no_trace_has_its_id_in_the_log(logs: Logs, client: httpx.Client, followed: Followed) -> None:
    del client.headers["traceparent"]
    client.post("/api/v1/recommendations", json={"user_id": 42, "k": 3}).raise_for_status()

    wait_until(lambda: f'"request_id":"{followed.request_id}"' in logs.stack.log_of("web"), timeout_s=PATIENCE_S)
    [line] = [line for line in logs.stack.log_of("web").splitlines() if followed.request_id in line]
    assert "trace_id" not in json.loads(line)


def _token(client: httpx.Client) -> dict[str, str]:
    return {"Authorization": client.headers["Authorization"]}


def _write(socket: StreamSocket) -> Line:
    socket.say(type="text", seq=1, text="A good day.")
    return socket.hear()


def _payment(followed: Followed) -> Line:
    return {
        "event_id": followed.request_id,
        "account_id": "traced",
        "merchant_id": "m1",
        "amount": 9.5,
        "currency": "EUR",
        "occurred_at": "2026-01-02T03:04:05Z",
    }


def _blank(logs: Logs, client: httpx.Client) -> Line:
    """Return a request for one black picture, as tensors."""
    [tensor] = httpx.get(f"{logs.stack.url}/v2/models/digits", headers=_token(client)).json()["inputs"]
    shape = [1, *tensor["shape"][1:]]
    size = shape[1] * shape[2] * shape[3]
    return {"inputs": [{"name": tensor["name"], "datatype": tensor["datatype"], "shape": shape, "data": [0.0] * size}]}


def _parts(logs: Logs, name: str, **changes: str) -> list[tuple[str, Any]]:
    """Return digits as an upload under another name."""
    folder = logs.stack.var_dir / "store" / "digits" / "1"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["version"]
    return [
        ("artifact", (folder / "model.pt").read_bytes()),
        ("samples", (folder / "samples.json").read_bytes()),
        ("manifest", (None, json.dumps({**manifest, "name": name, **changes}))),
    ]
