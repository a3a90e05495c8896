"""One request sent both ways, through Flask and in front of it, and all that came of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from flask import request_started
from prometheus_client import CollectorRegistry
from werkzeug.test import TestResponse

from app.infra.metrics import PROBLEMS, REFUSED
from app.scenarios.tensor_frames import pack_answer
from app.services.route_draft import RouteDraft, Variant
from app.web.metrics import current_exposition
from model_store.model_ref import ModelRef
from tests.factories.captured_logs import captured_logs
from tests.factories.ranked_rows import publish_ranking_model, ranked
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker, make_worker

LIMIT = 4
PLACES = 4
MAX_BODY_BYTES = 100_000
INFER = "/v2/models/digits/infer"
TENSORS = b'{"inputs": [{"name": "image", "shape": [1], "datatype": "FP32", "data": [1]}]}'
# Of these only that they are there is the same both ways.
_OWN_VALUES = ("X-Request-ID", "X-RateLimit-Reset", "Server-Timing", "Date", "Age")
_OWN_FIELDS = ("client", "ms", "request_id", "seconds", "exc_info")

Arrangement = Callable[[WebWorker], AbstractContextManager[object]]


def as_it_is(_worker: WebWorker) -> AbstractContextManager[None]:
    """Arrange nothing."""
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What is sent, by a new client: its last answer counts, of `times`."""

    method: str = "POST"
    path: str = "/api/v1/recommendations"
    body: bytes = b'{"user_id":7,"k":2}'
    headers: Mapping[str, str] = field(default_factory=dict)
    client: Mapping[str, Any] = field(default_factory=dict)
    token: Callable[[WebWorker], str] | None = None
    """The whole Authorization; by default a bearer token of the client."""
    arrange: Arrangement = as_it_is
    times: int = 1
    is_hot: bool = True
    """Whether the fast path answers it."""

    def sent_headers(self, worker: WebWorker) -> dict[str, str]:
        """Return the headers to send, None of them where a value is empty."""
        token = f"Bearer {worker.token(**self.client)}" if self.token is None else self.token(worker)
        headers = {"Content-Type": "application/json", "Authorization": token, **self.headers}
        return {name: value for name, value in headers.items() if value}

    def send(self, worker: WebWorker, headers: Mapping[str, str]) -> TestResponse:
        """Send it once, with these headers."""
        return worker.app.test_client().open(self.path, method=self.method, data=self.body, headers=headers)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of a request, without what differs from one to the next."""

    status: int
    headers: list[tuple[str, str]]
    body: Any
    log: list[dict[str, Any]]
    usage: list[tuple[Any, ...]]
    assignments: list[tuple[Any, ...]]
    measured: dict[str, float]


def make_way(folder: Path, *, fast_path: bool) -> WebWorker:
    """Return a worker with a model of each kind, which answers one way."""
    folder.mkdir()
    worker = make_worker(
        folder,
        fast_path=fast_path,
        limit_inference=f"{LIMIT}/hour",
        limit_management=f"{LIMIT}/hour",
        max_in_service=PLACES,
        max_body_bytes=MAX_BODY_BYTES,
    )
    publish_ranking_model(worker)
    worker.inference.answer = worker.heavy.answer = answer
    for changes in ({}, {"name": "heavy", "manifest": make_manifest(execution="heavy")}, {"name": "gone"}):
        worker.publish(**changes)
    worker.services.residency.unload(ModelRef("gone", 1), by="test")
    for name in ("split", "broken"):
        worker.publish(name=name)
        route = RouteDraft(variants=[Variant(name="control", version=1, weight=1)])
        worker.services.routes.put(name, route, by="test")
    worker.services.residency.unload(ModelRef("broken", 1), by="test")
    worker.services.routing.refresh()
    return worker


def answer(row: bytes, top_k: int) -> bytes:
    """Answer rankings and tensors; the bytes `unforeseen` in a row are a bug of the server."""
    if b"unforeseen" in row:
        raise RuntimeError("Nobody foresaw this.")

    return pack_answer(b'{"outputs":[%d]}' % len(row), None) if b"inputs" in row else ranked(row)


def see(worker: WebWorker, ask: Ask) -> Seen:
    """Send a request and return what came of the last time."""
    headers = ask.sent_headers(worker)
    with ExitStack() as stack:
        stack.enter_context(ask.arrange(worker))
        for _ in range(ask.times - 1):
            ask.send(worker, headers)
        usage, assignments = _noted(stack, worker.services.usage), _noted(stack, worker.services.assignments)
        log = stack.enter_context(captured_logs())
        before = _measured(worker)
        response = ask.send(worker, headers)
    return Seen(
        status=response.status_code,
        headers=sorted((name, "" if name in _OWN_VALUES else value) for name, value in response.headers.items()),
        body=_body(response.data),
        log=[_masked(line) for line in log],
        usage=[one[1:] for one in usage],
        assignments=[_assignment(*one) for one in assignments],
        measured={name: value - before.get(name, 0) for name, value in _measured(worker).items()},
    )


@contextmanager
def flasks(worker: WebWorker) -> Iterator[list[Any]]:
    """Yield a list that holds an entry for each request that Flask serves within the block."""
    served: list[Any] = []

    def note(*_sender: object, **_more: object) -> None:
        served.append(True)

    with request_started.connected_to(note, worker.app):
        yield served


def _noted(stack: ExitStack, log: Any) -> list[tuple[Any, ...]]:
    noted: list[tuple[Any, ...]] = []
    stack.enter_context(mock.patch.object(log, "note", side_effect=lambda *one: noted.append(one)))
    return noted


def _body(data: bytes) -> Any:
    try:
        body = json.loads(data)
    except ValueError:
        return data

    return body | {"request_id": ""} if "request_id" in body else body


def _masked(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: "" if name in _OWN_FIELDS else value for name, value in line.items()}


def _assignment(one: Any) -> tuple[Any, ...]:
    is_client = one.subject.startswith("client-")
    subject = "client" if is_client else one.subject
    return one.model_name, one.revision, one.variant, one.version, subject, one.ending, one.is_dealt, one.seconds > 0


def _measured(worker: WebWorker) -> dict[str, float]:
    """Return what is counted: of a histogram how often, not how long."""
    with worker.app.app_context():
        registry: CollectorRegistry = current_exposition().own
    metrics = [*registry.collect(), *PROBLEMS.collect(), *REFUSED.collect()]
    samples = [sample for metric in metrics for sample in metric.samples]
    counted = [sample for sample in samples if sample.name.endswith(("_total", "_count"))]
    return {f"{sample.name} {sorted(sample.labels.items())}": sample.value for sample in counted}
