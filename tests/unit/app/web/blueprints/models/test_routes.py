"""GET /api/v1/models and below."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.inference.messages import RunnerState
from app.infra.metrics import PROBLEMS
from tests.factories.web import WebWorker
from tests.fakes.inference import make_record

PATH = "/api/v1/models"


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    return worker.bearer(scopes=frozenset({"models:read"}))


def not_modified_failures() -> float:
    return PROBLEMS.labels(code="not_modified")._value.get()


def names(response: Any) -> list[str]:
    return [model["name"] for model in response.json]


def test_models_are_listed_by_name(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish(name="flowers")
    worker.publish(name="digits")

    assert names(client.get(PATH, headers=headers)) == ["digits", "flowers"]


def test_client_sees_only_its_models(worker: WebWorker, client: FlaskClient) -> None:
    worker.publish(name="flowers")
    worker.publish(name="digits")

    bound = worker.bearer(models=("flow*",))

    assert names(client.get(PATH, headers=bound)) == ["flowers"]
    assert client.get(f"{PATH}/digits", headers=bound).json["code"] == "model_not_allowed"


def test_pages_follow_each_other(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    for name in ("a", "b", "c"):
        worker.publish(name=name)

    first = client.get(f"{PATH}?page_size=2", headers=headers)
    second = client.get(f"{PATH}?page_size=2&page=2", headers=headers)

    assert names(first) + names(second) == ["a", "b", "c"]
    assert '"total":3' in first.headers["X-Pagination"].replace(" ", "")


def test_unchanged_answer_is_not_sent_again(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    ref = worker.publish()
    tag = client.get(PATH, headers=headers).headers["ETag"]

    unchanged = client.get(PATH, headers={**headers, "If-None-Match": tag})
    worker.run(make_record(ref, state=RunnerState.DRAINING))
    changed = client.get(PATH, headers={**headers, "If-None-Match": tag})

    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert changed.status_code == 200


@pytest.mark.parametrize("path", ["", "/digits", "/digits/versions/1"])
def test_unchanged_answer_keeps_its_tag_and_is_no_failure(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], path: str
) -> None:
    worker.publish()
    tag = client.get(PATH + path, headers=headers).headers["ETag"]
    failures = not_modified_failures()

    # A proxy that compresses makes the tag a weak one.
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        unchanged = client.get(PATH + path, headers={**headers, "If-None-Match": known})
        assert (unchanged.status_code, unchanged.headers["ETag"]) == (304, tag), known

    assert not_modified_failures() == failures


def test_model_shows_versions_states_and_aliases(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    worker.publish()
    second = worker.publish()
    worker.run(make_record(second, state=RunnerState.LOADING))

    model = client.get(f"{PATH}/digits", headers=headers).json

    assert (model["name"], model["default"], model["aliases"]) == ("digits", 1, {"default": 1})
    assert [(version["version"], version["state"]) for version in model["versions"]] == [
        (2, "LOADING"),
        (1, "UNLOADED"),
    ]


def test_version_shows_manifest_and_runners(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    ref = worker.publish()
    worker.run(make_record(ref, pid=1234, memory_bytes=5000))

    by_number = client.get(f"{PATH}/digits/versions/1", headers=headers).json
    by_alias = client.get(f"{PATH}/digits/versions/default", headers=headers).json

    assert by_number == by_alias
    assert by_number["aliases"] == ["default"]
    assert by_number["manifest"]["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 8, 8]}]
    assert [(runner["pid"], runner["memory_bytes"]) for runner in by_number["runners"]] == [(1234, 5000)]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/unheard-of", "model_not_found"),
        ("/..%2f..%2fetc", "route_not_found"),
        ("/unheard-of/versions/1", "model_not_found"),
        ("/digits/versions/2", "version_not_found"),
        ("/digits/versions/" + "9" * 5000, "version_not_found"),
    ],
)
def test_what_is_not_there_is_404(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], path: str, code: str
) -> None:
    worker.publish()

    response = client.get(PATH + path, headers=headers)

    assert (response.status_code, response.json["code"]) == (404, code)


def test_reading_needs_its_scope(worker: WebWorker, client: FlaskClient) -> None:
    headers = worker.bearer(scopes=frozenset({"infer"}))

    assert client.get(PATH, headers=headers).json["code"] == "insufficient_scope"
