"""Which variant an outcome counts for."""

from pathlib import Path
from unittest import mock

import pytest

from app.db.repositories.outcomes import OutcomeRepository
from app.errors import AssignmentNotFound, ModelNotFound, ModelUnloaded, RedisUnavailable
from app.services.experiment_store import Assigned, ExperimentStore
from app.services.outcomes import LOOKS, PURGED_AT_ONCE, OutcomeDraft, OutcomeService, purge_old_outcomes
from app.services.route_draft import Override, RouteDraft, Variant
from tests.factories.database import make_database
from tests.factories.outcomes import NOW, make_outcome
from tests.factories.web import WebWorker

VARIANTS = [Variant(name="control", version=1, weight=1), Variant(name="candidate", version=2, weight=1)]
BY_REQUEST = OutcomeDraft(metric="conversion", value=1.0, request_id="r1")
BY_SUBJECT = OutcomeDraft(metric="conversion", value=1.0, subject="ann")


@pytest.fixture
def store() -> mock.Mock:
    store: mock.Mock = mock.create_autospec(ExperimentStore, instance=True)
    store.find.return_value = {}
    return store


@pytest.fixture
def outcomes(worker: WebWorker, store: mock.Mock) -> OutcomeService:
    for _ in range(2):
        worker.publish()
    return OutcomeService(worker.services.database, store, worker.services.routing, pause=lambda _: None)


def route(worker: WebWorker, *overrides: Override) -> int:
    facts = worker.services.routes.put("digits", RouteDraft(variants=VARIANTS, overrides=overrides), by="test")
    worker.services.routing.refresh()
    return facts.revision


def one(outcomes: OutcomeService, draft: OutcomeDraft, by: str = "checkout") -> Assigned:
    [assigned] = outcomes.record("digits", [draft], by=by)
    return assigned


def test_the_log_has_the_first_word(worker: WebWorker, outcomes: OutcomeService, store: mock.Mock) -> None:
    route(worker)
    known = {BY_REQUEST.unit: Assigned(7, "gone"), BY_SUBJECT.unit: Assigned(8, "older")}
    store.find.return_value = known

    assert [one(outcomes, draft) for draft in (BY_REQUEST, BY_SUBJECT)] == list(known.values())


def test_an_outcome_may_be_faster_than_the_log(worker: WebWorker, outcomes: OutcomeService, store: mock.Mock) -> None:
    before = Assigned(route(worker), "control")
    now = Assigned(route(worker, Override(client="c", variant="control")), "candidate")
    store.find.side_effect = [{BY_SUBJECT.unit: before}, {BY_REQUEST.unit: now}, {BY_SUBJECT.unit: now}]

    assert outcomes.record("digits", [BY_REQUEST, BY_SUBJECT], by="checkout") == [now, now]
    assert [list(call.args[1]) for call in store.find.call_args_list] == [
        [BY_REQUEST.unit, BY_SUBJECT.unit],
        [BY_REQUEST.unit, BY_SUBJECT.unit],
        [BY_SUBJECT.unit],
    ]


def test_a_subject_that_did_not_call_again_keeps_the_variant_it_had(
    worker: WebWorker, outcomes: OutcomeService, store: mock.Mock
) -> None:
    before = Assigned(route(worker), "control")
    route(worker, Override(client="c", variant="control"))
    store.find.return_value = {BY_SUBJECT.unit: before}

    assert one(outcomes, BY_SUBJECT) == before
    assert store.find.call_count == LOOKS


def test_a_subject_that_the_log_forgot_has_the_variant_of_the_route(
    worker: WebWorker, outcomes: OutcomeService
) -> None:
    revision = route(worker)
    variant = worker.services.routing.resolve("digits", subject="ann").variant

    assert one(outcomes, BY_SUBJECT) == Assigned(revision, str(variant))


def test_overrides_hold_for_outcomes_too(worker: WebWorker, outcomes: OutcomeService) -> None:
    revision = route(worker, Override(client="tester", variant="candidate"), Override(subject="ann", variant="control"))
    bob = OutcomeDraft(metric="conversion", value=1.0, subject="bob")

    assert one(outcomes, BY_SUBJECT, by="tester") == Assigned(revision, "control")
    assert one(outcomes, bob, by="tester") == Assigned(revision, "candidate")


def test_an_unloaded_version_takes_outcomes(worker: WebWorker, outcomes: OutcomeService) -> None:
    route(worker, Override(subject="ann", variant="control"))
    with mock.patch.object(worker.services.routing, "resolve", side_effect=ModelUnloaded("digits", 1)):
        assert one(outcomes, BY_SUBJECT).variant == "control"


def test_a_named_variant_is_of_the_revision_that_answered(
    worker: WebWorker, outcomes: OutcomeService, store: mock.Mock
) -> None:
    revision = route(worker)
    draft = OutcomeDraft(metric="conversion", value=1.0, request_id="r1", variant="candidate")
    unknown = one(outcomes, draft)
    store.find.return_value = {draft.unit: Assigned(41, "candidate")}
    known = one(outcomes, draft)
    store.find.return_value = {draft.unit: Assigned(41, "control")}
    contradicted = one(outcomes, draft)

    assert (unknown.revision, known.revision, contradicted.revision) == (revision, 41, revision)


@pytest.mark.parametrize(
    ("draft", "is_routed", "sentence"),
    [
        (BY_REQUEST, True, "No variant of 'digits' is known to have answered the request 'r1'"),
        (BY_SUBJECT, False, "The model 'digits' has no route, so no variant answered 'ann'."),
        (OutcomeDraft(metric="m", value=1, subject="ann", variant="x"), True, "has no variant 'x'; it has control, "),
        (
            OutcomeDraft(metric="m", value=1, subject="ann", variant="x"),
            False,
            "has no route, so it has no variant 'x'",
        ),
    ],
)
def test_what_has_no_variant_is_refused_with_a_reason(
    worker: WebWorker, outcomes: OutcomeService, draft: OutcomeDraft, is_routed: bool, sentence: str
) -> None:
    if is_routed:
        route(worker)

    with pytest.raises(AssignmentNotFound) as refusal:
        one(outcomes, draft)
    assert sentence in refusal.value.detail


def test_without_redis_only_requests_alone_are_refused(
    worker: WebWorker, outcomes: OutcomeService, store: mock.Mock
) -> None:
    route(worker)
    store.find.side_effect = RedisUnavailable("It was taken away.")

    assert one(outcomes, BY_SUBJECT)
    assert one(outcomes, OutcomeDraft(metric="m", value=1, request_id="r1", variant="control"))
    with pytest.raises(RedisUnavailable):
        one(outcomes, BY_REQUEST)


def test_a_list_is_recorded_whole_or_not_at_all(worker: WebWorker, outcomes: OutcomeService, store: mock.Mock) -> None:
    revision = route(worker)
    with pytest.raises(AssignmentNotFound):
        outcomes.record("digits", [BY_SUBJECT, BY_REQUEST], by="checkout")

    with worker.services.database.read() as session:
        assert OutcomeRepository(session).sums("digits", revision) == []


def test_values_too_small_to_square_are_zero(worker: WebWorker, outcomes: OutcomeService) -> None:
    revision = route(worker)
    one(outcomes, OutcomeDraft(metric="tiny", value=1e-300, subject="ann"))

    with worker.services.database.read() as session:
        assert [sums.mean for sums in OutcomeRepository(session).sums("digits", revision)] == [0.0]


def test_an_unknown_model_has_no_outcomes(outcomes: OutcomeService) -> None:
    with pytest.raises(ModelNotFound):
        outcomes.record("unheard-of", [BY_SUBJECT], by="checkout")


def test_a_purge_takes_all_in_several_steps(tmp_path: Path) -> None:
    database = make_database(tmp_path)
    count = PURGED_AT_ONCE + 3
    with database.write() as session:
        for start in range(0, count, 1000):
            units = range(start, min(start + 1000, count))
            OutcomeRepository(session).put([make_outcome(unit=f"subject:{number}") for number in units])

    assert purge_old_outcomes(database, before=NOW.replace(year=2030)) == count
    database.close()
