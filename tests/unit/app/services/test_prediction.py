"""One inference, from its request to what answered."""

import json
import time
from dataclasses import replace
from typing import Any, cast

import pytest

from app.errors import (
    HeavyModel,
    NotCached,
    QueueFull,
    UnsupportedImage,
    VersionNotFound,
    WrongTask,
)
from app.inference.cache import CacheDirectives, CacheOutcome
from app.inference.client import InferenceClient
from app.inference.heavy_client import HeavyClient
from app.inference.messages import Form, RowFailure, SequenceCall, Traced
from app.services.prediction import PredictionRequest, PredictionService
from app.services.routing import Router
from model_store.model_ref import ModelRef
from tests.factories.cached_calls import make_cache
from tests.factories.catalog import catalog_with
from tests.factories.routes import make_route
from tests.factories.traces import SAMPLED
from tests.fakes.clock import FakeClock
from tests.fakes.inference import NOT_AN_IMAGE, FakeHeavyClient, FakeInferenceClient


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

    assert json.loads(prediction.answered_by) == {"name": "digits", "version": 2, "variant": None}
    assert isinstance(prediction.rows[0], bytes)
    assert isinstance(prediction.rows[1], RowFailure)
    assert (prediction.queue_s, prediction.compute_s) == (0.001, 0.002)
    call = runners.calls[0]
    assert (call.ref, call.parameters, call.request_id) == (ModelRef("digits", 2), {"top_k": 1}, "r1")


@pytest.mark.parametrize(
    ("traceparent", "traced"), [("", []), (SAMPLED, [Traced(request_id="r1", traceparent=SAMPLED)])]
)
def test_a_trace_goes_on_to_the_runner(
    service: PredictionService, runners: FakeInferenceClient, traceparent: str, traced: list[Traced]
) -> None:
    service.predict(ask(request_id="r1", traceparent=traceparent))

    assert list(runners.calls[0].traced) == traced


def test_subject_and_client_decide_the_variant(runners: FakeInferenceClient) -> None:
    overrides = [{"subject": "vip", "variant": "next"}, {"client": "checkout", "variant": "next"}]
    route = make_route({"now": 1, "next": 2}, weights={"now": 1, "next": 0}, overrides=overrides)
    model = replace(catalog_with(1, 2, default=1)["digits"], route=route)
    service = PredictionService(Router(lambda: {"digits": model}), cast(InferenceClient, runners))

    asked = [{}, {"subject": "vip"}, {"client_id": "checkout"}, {"subject": "vip", "version": "1"}]
    variants = [service.predict(ask(**fields)).variant for fields in asked]
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


def test_model_marked_heavy_is_asked_for_tensors_where_it_runs(runners: FakeInferenceClient) -> None:
    model, heavy = catalog_with(1, default=1)["digits"], FakeHeavyClient()
    model.versions[1] = replace(model.versions[1], execution="heavy")
    router = Router(lambda: {"digits": model})
    service = PredictionService(router, cast(InferenceClient, runners), heavy=cast(HeavyClient, heavy))

    prediction = service.predict(ask(task=None, form=Form.TENSORS, parameters={"json_bytes": 3}, traceparent=SAMPLED))

    assert (prediction.ref, len(prediction.rows)) == (ModelRef("digits", 1), len(ask().rows))
    assert heavy.calls[0].parameters == {"json_bytes": 3, "variant": None}
    assert heavy.calls[0].traceparent == SAMPLED
    assert (heavy.digests, runners.calls) == ([model.versions[1].digest], [])
    with pytest.raises(HeavyModel):
        service.predict(ask())


def test_overload_travels_on(service: PredictionService, runners: FakeInferenceClient) -> None:
    runners.error = QueueFull("Full.")

    with pytest.raises(QueueFull):
        service.predict(ask())


def caching(
    runners: FakeInferenceClient, clock: FakeClock, *, ttls: dict[str, int] | None = None, **facts: Any
) -> PredictionService:
    """Return a service that keeps answers for 60 s; its versions have these `facts`, its aliases these times."""
    model = replace(catalog_with(1, 2, default=1, next=2)["digits"], cache_ttls=ttls or {})
    model.versions.update({number: replace(one, **facts) for number, one in model.versions.items()})
    router = Router(lambda: {"digits": model})
    return PredictionService(router, cast(InferenceClient, runners), make_cache(clock), cache_ttl_s=60)


def outcomes(service: PredictionService, *asked: dict[str, Any]) -> list[CacheOutcome | None]:
    return [service.predict(ask(**fields)).cache for fields in asked]


def test_answers_are_kept_for_who_asks_the_same(runners: FakeInferenceClient) -> None:
    clock = FakeClock()
    service = caching(runners, clock)
    first = service.predict(ask(rows=[b"1", b"22"]))
    clock.advance(5)
    second = service.predict(ask(rows=[b"22", b"1"], client_id="another"))

    assert second.rows == list(reversed(first.rows))
    assert (first.cache, first.queue_s, first.compute_s) == (CacheOutcome.MISS, 0.001, 0.002)
    assert (second.cache, second.age_s, second.queue_s, second.compute_s) == (CacheOutcome.HIT, 5.0, 0.0, 0.0)
    assert len(runners.calls) == 1


def test_another_version_or_parameter_is_asked_itself(runners: FakeInferenceClient) -> None:
    service = caching(runners, FakeClock())
    asked = [{}, {"version": "next"}, {"parameters": {"top_k": 1}}, {"version": "1"}]

    assert outcomes(service, *asked) == [CacheOutcome.MISS] * 3 + [CacheOutcome.HIT]
    assert [call.ref.version for call in runners.calls] == [1, 2, 1]


@pytest.mark.parametrize(
    ("facts", "fields"),
    [
        ({"is_cached": False}, {}),
        ({"task": "sequence-scoring"}, {"task": "sequence-scoring"}),
        ({"task": "tensor"}, {"task": None}),
        ({}, {"form": Form.TENSORS}),
        ({}, {"version": "next"}),
        ({}, {"sequences": [SequenceCall(key="session", keep_s=60)]}),
    ],
)
def test_what_may_not_be_kept_is_asked_each_time(
    runners: FakeInferenceClient, facts: dict[str, Any], fields: dict[str, Any]
) -> None:
    service = caching(runners, FakeClock(), ttls={"next": 0}, **facts)

    assert outcomes(service, fields, fields) == [None, None]
    assert len(runners.calls) == 2


def test_who_takes_kept_answers_only_is_told_where_none_are_kept(runners: FakeInferenceClient) -> None:
    service, only_kept = caching(runners, FakeClock(), is_cached=False), CacheDirectives(is_only_if_cached=True)

    with pytest.raises(NotCached):
        service.predict(ask(cache=only_kept))
    assert runners.calls == []
    assert outcomes(service, {"cache": only_kept, "form": Form.TENSORS}) == [None]


def test_clients_are_kept_apart_where_the_manifest_says_so(runners: FakeInferenceClient) -> None:
    service = caching(runners, FakeClock(), is_cached_per_client=True)

    assert outcomes(service, {"client_id": "a"}, {"client_id": "b"}, {"client_id": "a"}) == [
        CacheOutcome.MISS,
        CacheOutcome.MISS,
        CacheOutcome.HIT,
    ]


def test_each_alias_keeps_for_its_own_time(runners: FakeInferenceClient) -> None:
    clock = FakeClock()
    service = caching(runners, clock, ttls={"default": 10})
    outcomes(service, {}, {"version": "next"})
    clock.advance(11)

    assert outcomes(service, {}, {"version": "next"}) == [CacheOutcome.MISS, CacheOutcome.HIT]


def test_a_failed_row_is_an_error_among_the_outcomes(service: PredictionService) -> None:
    prediction = service.predict(ask(rows=[b"1", NOT_AN_IMAGE]))

    answered, failed = prediction.outcomes
    assert answered is prediction.rows[0]
    assert isinstance(failed, UnsupportedImage)
