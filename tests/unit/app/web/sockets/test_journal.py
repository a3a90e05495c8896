"""What is noted of an event: how it ended, and how long it took, for its client and for the experiment of a route."""

from unittest import mock

import pytest
from prometheus_client import REGISTRY

from app.errors import EventTooLate, GalleyError, ModelFailed
from app.services.assignments import AssignmentLog
from app.services.experiment_store import ExperimentStore
from app.services.routing import Router
from app.services.usage import UsageLog
from app.services.usage_store import UsageStore
from app.web.sockets.journal import Journal
from tests.factories.assignments import KEEPING
from tests.factories.streams import make_session
from tests.fakes.clock import FakeClock

LATE = EventTooLate(7200.0, limit_s=3600)
DEALT = {"variant": "trial", "revision": 7, "is_dealt": True, "subject": "till-4"}


@pytest.fixture
def uses() -> mock.Mock:
    uses: mock.Mock = mock.create_autospec(UsageStore, instance=True)
    return uses


@pytest.fixture
def experiments() -> mock.Mock:
    experiments: mock.Mock = mock.create_autospec(ExperimentStore, instance=True)
    return experiments


@pytest.fixture
def usage(uses: mock.Mock) -> UsageLog:
    return UsageLog(uses, FakeClock().clock())


@pytest.fixture
def assignments(experiments: mock.Mock) -> AssignmentLog:
    return AssignmentLog(experiments, Router(dict), KEEPING)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"galley_{name}", labels) or 0.0


@pytest.mark.parametrize(
    ("error", "code"), [(None, "ok"), (LATE, "event_too_late"), (ModelFailed("."), "model_failed")]
)
def test_each_event_is_measured(
    usage: UsageLog, assignments: AssignmentLog, error: GalleyError | None, code: str
) -> None:
    journal = Journal(make_session(stream="measured"), usage, assignments)
    before = value("stream_events_total", stream="measured", code=code)
    timed, seconds = (value(f"stream_event_seconds_{what}", stream="measured") for what in ("count", "sum"))
    for seq in (1, 2):
        journal.note(seq, 0.25, error)

    assert journal.events == 2
    assert value("stream_events_total", stream="measured", code=code) == before + 2
    assert value("stream_event_seconds_count", stream="measured") == timed + 2
    assert value("stream_event_seconds_sum", stream="measured") == pytest.approx(seconds + 0.5)


def test_the_clients_usage_tells_how_events_ended(usage: UsageLog, uses: mock.Mock, assignments: AssignmentLog) -> None:
    journal = Journal(make_session(), usage, assignments)
    for seq, error in enumerate((None, None, LATE, ModelFailed(".")), 1):
        journal.note(seq, 0.1, error)
    usage.flush()
    [[day]] = [call.args[0].days.values() for call in uses.add.call_args_list]

    assert {name: count for name, count in day.items() if name.startswith("class:")} == {
        "class:events:requests": 4,
        "class:events:answered": 2,
        "class:events:caller_errors": 1,
        "class:events:errors": 1,
        "class:events:rows": 2,
    }
    assert day["model:fraud:requests"] == 4


def test_what_no_route_chose_is_no_experiment(
    usage: UsageLog, assignments: AssignmentLog, experiments: mock.Mock
) -> None:
    Journal(make_session(), usage, assignments).note(1, 0.1)
    assignments.flush()

    experiments.add.assert_not_called()


def test_what_a_route_chose_is_noted_with_its_subject(usage: UsageLog) -> None:
    log = mock.create_autospec(AssignmentLog, instance=True)
    journal = Journal(make_session(**DEALT), usage, log)
    journal.note(1, 0.1)
    journal.note(2, 0.2, LATE)
    first, second = (call.args[0] for call in log.note.call_args_list)

    assert (first.model_name, first.version, first.variant, first.revision) == ("fraud", 3, "trial", 7)
    assert (first.subject, first.is_dealt, first.request_id, first.ending, first.seconds) == (
        "till-4",
        True,
        "s1:1",
        "answered",
        0.1,
    )
    assert (second.request_id, second.ending) == ("s1:2", "caller_error")
