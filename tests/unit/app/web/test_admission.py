"""Who asks for an inference through Flask has a place until it is answered, or is refused before its body is read."""

import time
from collections.abc import Iterator

import gevent
import pytest
from flask.testing import FlaskClient

from app.errors import DeadlineExceeded, ModelFailed, QueueFull, ShareExceeded
from app.inference.admission import Admission
from app.inference.turns import Turns
from app.web.admission import take_place, wait_turn
from app.web.request_context import RequestContext
from tests.factories.web import WebWorker

PATH = "/api/v1/images/classifications"


@pytest.fixture
def headers(worker: WebWorker) -> Iterator[dict[str, str]]:
    """A caller's headers; all places are given back at the end."""
    worker.publish()
    yield worker.bearer() | {"Content-Type": "image/png"}
    assert worker.services.admission.in_service == 0


def context(*, left_s: float) -> RequestContext:
    return RequestContext("r1", time.monotonic() - 1.0, 1.0 + left_s)


def test_an_inference_holds_a_place(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    held: list[int] = []
    usual = worker.inference.answer

    def answer(row: bytes, top_k: int) -> bytes:
        held.append(worker.services.admission.in_service)
        return usual(row, top_k)

    worker.inference.answer = answer

    assert client.post(PATH, data=b"picture", headers=headers).status_code == 200
    assert held == [1]


def test_a_failed_one_gives_it_back(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.inference.error = ModelFailed("It raised.")

    assert client.post(PATH, data=b"picture", headers=headers).status_code == 502


def test_other_routes_and_strangers_hold_none(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    admission, now = worker.services.admission, time.monotonic()
    others = [f"other-{number}" for number in range(2 * worker.services.settings.max_in_service)]
    for other in others:
        admission.enter(other, now)

    answers = [
        client.get("/health/live"),
        client.get("/api/v1/models", headers=headers),
        client.post(PATH, data=b"picture"),
        client.post(PATH, data=b"picture", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 401, 503]
    assert b'"code":"queue_full"' in answers[-1].data
    assert "Retry-After" in answers[-1].headers
    for other in others:
        admission.leave(other, now)


def test_it_begins_when_its_turn_comes(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    turns = worker.services.admission.turns
    before = gevent.spawn(turns.wait)
    gevent.idle()
    asked = gevent.spawn(client.post, PATH, data=b"picture", headers=headers)
    gevent.joinall([before, asked], raise_error=True)

    assert asked.value.status_code == 200
    assert len(turns) == 0


def test_no_place_without_time() -> None:
    admission = Admission(limit=1, longest_wait_s=0.1, turns=Turns())

    with pytest.raises(DeadlineExceeded):
        take_place(admission, "ann", context(left_s=0.0))

    assert admission.in_service == 0


def test_refusals_are_admissions_own() -> None:
    admission = Admission(limit=1, longest_wait_s=0.1, turns=Turns())
    take_place(admission, "ann", context(left_s=5.0))

    with pytest.raises(QueueFull):
        take_place(admission, "ann", context(left_s=5.0))
    take_place(admission, "bob", context(left_s=5.0))
    with pytest.raises(ShareExceeded):
        take_place(admission, "ann", context(left_s=5.0))
    assert admission.in_service == 2


def test_a_turn_that_comes_too_late_is_none() -> None:
    """A kept answer would be at hand then, and out of time."""

    class Slow(Turns):
        def wait(self, client_id: str = "") -> None:
            gevent.sleep(0.03)

    admission = Admission(limit=1, longest_wait_s=1.0, turns=Slow())

    with pytest.raises(DeadlineExceeded):
        wait_turn(admission, "client-1", context(left_s=0.01))
    wait_turn(admission, "client-1", context(left_s=5.0))
