"""One inference, from its request to what answered."""

import time
from dataclasses import replace
from typing import Any, cast

import pytest

from app.errors import (
    DeadlineExceeded,
    GalleyError,
    HeavyModel,
    ImageTooLarge,
    ModelFailed,
    QueueFull,
    UnreadableImage,
    UnsupportedImage,
    VersionNotFound,
    WrongTask,
)
from app.inference.client import InferenceClient
from app.inference.messages import Form, RowFailure
from app.services.prediction import PredictionRequest, PredictionService, row_error
from app.services.routing import Router
from model_store.model_ref import ModelRef
from tests.factories.catalog import catalog_with
from tests.factories.routes import make_route
from tests.fakes.inference import NOT_AN_IMAGE, FakeInferenceClient


@pytest.fixture
def runners() -> FakeInferenceClient:
    return FakeInferenceClient()


@pytest.fixture
def service(runners: FakeInferenceClient) -> PredictionService:
    router = Router(lambda: catalog_with(1, 2, default=2))
    return PredictionService(router, cast(InferenceClient, runners))


def ask(**changes: Any) -> PredictionRequest:
    fields: dict[str, Any] = {
        "model": "digits",
        "version": None,
        "task": "image-classification",
        "rows": [b"row"],
        "deadline": time.monotonic() + 5,
    }
    return PredictionRequest(**{**fields, **changes})


def test_default_version_answers(service: PredictionService, runners: FakeInferenceClient) -> None:
    prediction = service.predict(ask(rows=[b"1", NOT_AN_IMAGE], parameters={"top_k": 1}, request_id="r1"))

    assert prediction.answered_by == {"name": "digits", "version": 2, "variant": None}
    assert isinstance(prediction.rows[0], bytes)
    assert isinstance(prediction.rows[1], RowFailure)
    assert (prediction.queue_s, prediction.compute_s) == (0.001, 0.002)
    call = runners.calls[0]
    assert (call.ref, call.parameters, call.request_id) == (ModelRef("digits", 2), {"top_k": 1}, "r1")


def test_subject_and_client_decide_the_variant(runners: FakeInferenceClient) -> None:
    overrides = [{"subject": "vip", "variant": "next"}, {"client": "checkout", "variant": "next"}]
    route = make_route({"now": 1, "next": 2}, weights={"now": 1, "next": 0}, overrides=overrides)
    model = replace(catalog_with(1, 2, default=1)["digits"], route=route)
    service = PredictionService(Router(lambda: {"digits": model}), cast(InferenceClient, runners))

    asked = [{}, {"subject": "vip"}, {"client_id": "checkout"}, {"subject": "vip", "version": "1"}]
    variants = [service.predict(ask(**fields)).answered_by["variant"] for fields in asked]
    assert variants == ["now", "next", "next", None]
    assert [call.ref.version for call in runners.calls] == [1, 2, 2, 1]


def test_any_task_will_do_where_none_is_asked_for(service: PredictionService, runners: FakeInferenceClient) -> None:
    service.predict(ask(task=None, form=Form.TENSORS))

    assert runners.calls[0].form is Form.TENSORS


def test_version_that_is_not_there_asks_nobody(service: PredictionService, runners: FakeInferenceClient) -> None:
    with pytest.raises(VersionNotFound):
        service.predict(ask(version="9"))

    assert runners.calls == []


def test_model_of_another_task_asks_nobody(service: PredictionService, runners: FakeInferenceClient) -> None:
    with pytest.raises(WrongTask, match="text-classification"):
        service.predict(ask(task="text-classification"))

    assert runners.calls == []


def test_model_marked_heavy_is_refused_since_no_runner_will_come(runners: FakeInferenceClient) -> None:
    catalog = catalog_with(1, default=1)
    model = catalog["digits"]
    model.versions[1] = replace(model.versions[1], execution="heavy")
    service = PredictionService(Router(lambda: catalog), cast(InferenceClient, runners))

    with pytest.raises(HeavyModel, match="marked heavy"):
        service.predict(ask())

    assert runners.calls == []


def test_overload_travels_on(service: PredictionService, runners: FakeInferenceClient) -> None:
    runners.error = QueueFull("Full.")

    with pytest.raises(QueueFull):
        service.predict(ask())


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("unreadable_image", UnreadableImage),
        ("unsupported_image", UnsupportedImage),
        ("image_too_large", ImageTooLarge),
        ("model_failed", ModelFailed),
        ("deadline_exceeded", DeadlineExceeded),
        ("never_heard_of", ModelFailed),
    ],
)
def test_row_failure_becomes_its_error_again(code: str, error: type[GalleyError]) -> None:
    restored = row_error(RowFailure(row=0, code=code, detail="As the runner said."))

    assert type(restored) is error
    assert restored.detail == str(restored) == "As the runner said."
