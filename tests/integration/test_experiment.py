"""An experiment from its route to its readout: requests, outcomes, and what is told of both."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.errors import ModelFailed
from tests.factories.redis_server import RedisServer
from tests.factories.web import WebWorker, make_worker

CLASSIFY = "/api/v1/images/classifications"
ROUTE = "/api/v1/models/digits/route"
OUTCOMES = "/api/v1/models/digits/outcomes"
EXPERIMENT = "/api/v1/models/digits/experiment"
REQUESTS = 2000
SUBJECTS = 900
CONVERSION = {"control": 0.2, "candidate": 0.5}


@pytest.fixture
def worker(tmp_path: Path, redis_server: RedisServer) -> Iterator[WebWorker]:
    worker = make_worker(tmp_path, redis_url=redis_server.url, limit_inference="100000/second")
    for _ in range(2):
        worker.publish()
    yield worker
    worker.services.close()


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    return worker.bearer()


def put_route(worker: WebWorker, client: FlaskClient, headers: dict[str, str], *weights: int, **more: Any) -> int:
    """Split the traffic of versions 1 and 2 so, and return the revision.

    The salt is fixed, so every run deals the same: a fair deal looks unfair now and then, and that is no failure.
    """
    names = ("control", "candidate")
    variants = [{"name": names[at], "version": at + 1, "weight": weight} for at, weight in enumerate(weights)]
    answer = client.put(ROUTE, json={"variants": variants, "salt": "spring-trial", **more}, headers=headers)
    worker.services.routing.refresh()
    assert answer.status_code == 200, answer.json
    revision: int = client.get(f"{ROUTE}/explain?subject=x", headers=headers).json["revision"]
    return revision


def classify(client: FlaskClient, headers: dict[str, str], subject: str, request_id: str = "") -> Any:
    own = {"X-Subject": subject} | ({"X-Request-ID": request_id} if request_id else {})
    picture = f"picture of {subject}".encode()
    return client.post(CLASSIFY, data=picture, content_type="image/png", headers=headers | own)


def read_out(worker: WebWorker, client: FlaskClient, headers: dict[str, str], query: str = "") -> dict[str, Any]:
    assert worker.services.assignments.flush()
    readout: dict[str, Any] = client.get(EXPERIMENT + query, headers=headers).json
    return readout


def test_two_thousand_requests_are_read_out_right(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    generator = random.Random(4)
    put_route(worker, client, headers, 70, 30)
    variants: dict[str, str] = {}
    requests: Counter[str] = Counter()
    for _ in range(REQUESTS):
        subject = f"user-{generator.randrange(SUBJECTS)}"
        variants[subject] = classify(client, headers, subject).headers["X-Variant"]
        requests[variants[subject]] += 1
    values = {subject: int(generator.random() < CONVERSION[name]) for subject, name in variants.items()}
    outcomes = [{"subject": name, "metric": "conversion", "value": value} for name, value in values.items()]
    answer = client.post(OUTCOMES, json={"outcomes": outcomes}, headers=headers)
    readout = read_out(worker, client, headers)

    assert answer.status_code == 201
    assert [one["variant"] for one in answer.json["outcomes"]] == list(variants.values())
    assert readout["sample_ratio"]["is_mismatch"] is False
    for told in readout["variants"]:
        own = [values[subject] for subject, name in variants.items() if name == told["name"]]
        assert (told["requests"], told["errors"], told["subjects"]) == (requests[told["name"]], 0, len(own))
        assert (told["outcomes"][0]["count"], told["outcomes"][0]["mean"]) == (
            len(own),
            pytest.approx(sum(own) / len(own)),
        )
        assert 0 < told["latency_ms"]["p50"] <= told["latency_ms"]["p90"] <= told["latency_ms"]["p99"]
    assert readout["variants"][1]["outcomes"][0]["difference"]["p_value"] < 1e-6


def test_an_outcome_finds_the_variant_of_its_request_after_the_route_changed(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    first = put_route(worker, client, headers, 100, 0)
    classify(client, headers, "ann", "request-of-ann")
    worker.services.assignments.flush()
    second = put_route(worker, client, headers, 0, 100)

    late = client.post(OUTCOMES, json={"request_id": "request-of-ann", "metric": "m", "value": 1}, headers=headers)
    new = client.post(OUTCOMES, json={"subject": "bob", "metric": "m", "value": 1}, headers=headers)

    assert late.json["outcomes"] == [{"revision": first, "variant": "control"}]
    assert new.json["outcomes"] == [{"revision": second, "variant": "candidate"}]
    assert read_out(worker, client, headers, f"?revision={first}")["variants"][0]["outcomes"][0]["count"] == 1


def test_errors_of_a_variant_and_of_its_callers_are_apart(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    put_route(worker, client, headers, 100, 0)
    classify(client, headers, "ann")
    client.post(CLASSIFY, data=b"not an image", content_type="image/png", headers=headers)
    worker.inference.error = ModelFailed("It raised.")
    classify(client, headers, "bob")

    control = read_out(worker, client, headers)["variants"][0]

    assert (control["requests"], control["caller_errors"], control["errors"]) == (3, 1, 1)
    assert control["error_rate"]["value"] == pytest.approx(1 / 3)


def test_overrides_are_no_part_of_the_sample(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    overrides = [{"subject": f"tester-{number}", "variant": "candidate"} for number in range(200)]
    put_route(worker, client, headers, 50, 50, overrides=overrides)
    for number in range(200):
        classify(client, headers, f"tester-{number}")
        classify(client, headers, f"user-{number}")

    readout = read_out(worker, client, headers)

    assert sum(told["requests"] for told in readout["variants"]) == 400
    assert sum(told["subjects"] for told in readout["variants"]) == 200
    assert readout["sample_ratio"]["is_mismatch"] is False


def test_requests_that_name_a_version_are_no_part_of_it(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    put_route(worker, client, headers, 50, 50)
    client.post(f"{CLASSIFY}?version=1", data=b"picture", content_type="image/png", headers=headers)

    assert [told["requests"] for told in read_out(worker, client, headers)["variants"]] == [0, 0]


def test_subjects_that_fall_out_of_one_variant_are_a_mismatch(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    put_route(worker, client, headers, 50, 50)
    for number in range(400):
        variant = worker.services.routing.resolve("digits", subject=f"user-{number}").variant
        if variant == "control" or number % 2:
            classify(client, headers, f"user-{number}")

    ratio = read_out(worker, client, headers)["sample_ratio"]

    assert ratio["is_mismatch"] is True
    assert ratio["sentence"].startswith("Sample ratio mismatch")
