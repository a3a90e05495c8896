"""Which revision is read out, and from what; what a readout says is in test_experiment_readout.py."""

from unittest import mock

import pytest

from app.db.repositories.outcomes import OutcomeRepository
from app.errors import ModelNotFound, RedisUnavailable, RouteNotFound
from app.services.aliases import AliasMove
from app.services.experiment_store import ExperimentCounts, ExperimentStore, VariantCounts
from app.services.experiments import ExperimentService
from app.services.route_draft import Override, RouteDraft, Variant
from tests.factories.outcomes import make_outcome
from tests.factories.web import WebWorker

NOTHING = ExperimentCounts(variants={}, shares=None)


@pytest.fixture
def store() -> mock.Mock:
    store: mock.Mock = mock.create_autospec(ExperimentStore, instance=True)
    store.counts.return_value = NOTHING
    return store


@pytest.fixture
def experiments(worker: WebWorker, store: mock.Mock) -> ExperimentService:
    worker.publish()
    return ExperimentService(worker.services.database, store, worker.services.routing)


def route(worker: WebWorker, *weights: float) -> int:
    variants = [Variant(name=f"v{number}", version=1, weight=weight) for number, weight in enumerate(weights)]
    facts = worker.services.routes.put("digits", RouteDraft(variants=variants), by="test")
    worker.services.routing.refresh()
    return facts.revision


def test_the_current_revision_is_read_by_default(worker: WebWorker, experiments: ExperimentService) -> None:
    revision = route(worker, 3, 1, 0)

    readout = experiments.readout("digits")

    assert (readout.revision, readout.is_current) == (revision, True)
    assert [(one.name, one.version, one.share) for one in readout.variants] == [
        ("v0", 1, 0.75),
        ("v1", 1, 0.25),
        ("v2", 1, 0.0),
    ]


def test_an_earlier_revision_has_the_shares_that_were_counted_with(
    worker: WebWorker, experiments: ExperimentService, store: mock.Mock
) -> None:
    first = route(worker, 1, 1)
    route(worker, 9, 1)
    store.counts.return_value = ExperimentCounts(
        variants={"v0": VariantCounts(requests=4)}, shares={"v0": 0.6, "v1": 0.4}
    )
    with worker.services.database.write() as session:
        OutcomeRepository(session).put([make_outcome(revision=first, variant="v1")])

    readout = experiments.readout("digits", first)

    assert not readout.is_current
    assert [(one.name, one.version, one.share, len(one.metrics)) for one in readout.variants] == [
        ("v0", None, 0.6, 0),
        ("v1", None, 0.4, 1),
    ]


def test_without_redis_there_are_still_outcomes(
    worker: WebWorker, experiments: ExperimentService, store: mock.Mock
) -> None:
    revision = route(worker, 1, 1)
    store.counts.side_effect = RedisUnavailable("It was taken away.")
    with worker.services.database.write() as session:
        OutcomeRepository(session).put([make_outcome(revision=revision, variant="v0")])

    readout = experiments.readout("digits")

    assert [(one.counts, len(one.metrics)) for one in readout.variants] == [(None, 1), (None, 0)]


def test_a_model_without_a_route_has_no_experiment_but_may_have_had_one(experiments: ExperimentService) -> None:
    with pytest.raises(RouteNotFound):
        experiments.readout("digits")
    assert experiments.readout("digits", 1).variants == []


def test_an_unknown_model_has_no_experiment(experiments: ExperimentService) -> None:
    with pytest.raises(ModelNotFound):
        experiments.readout("unheard-of", 1)


def test_what_blurs_a_comparison_is_told(worker: WebWorker, experiments: ExperimentService) -> None:
    worker.publish()
    variants = [Variant(name="a", version="default", weight=1), Variant(name="b", version=2, weight=1)]
    draft = RouteDraft(variants=variants, overrides=[Override(subject="tester", variant="b")])
    worker.services.routes.put("digits", draft, by="test")
    worker.services.routing.refresh()
    before = experiments.readout("digits").notes

    worker.services.aliases.set("digits", "other", AliasMove(version="2", by="test"))
    assert experiments.readout("digits").notes == before
    worker.services.aliases.set("digits", "default", AliasMove(version="2", by="test"))

    told = [note for note in experiments.readout("digits").notes if note not in before]
    assert [note[:27] for note in told] == ["The alias 'default' moved s"]
    assert any(note.startswith("Those whom an override sent") for note in before)
