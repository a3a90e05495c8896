"""What is told of versions without a runner, and when anything is told at all."""

from collections.abc import Sequence
from unittest import mock

import pytest

from app.inference.directory import DirectorySnapshot, HeldBack, RunnerRecord, decode_directory
from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef
from tests.fakes.inference import make_record
from workers.controller.ledger import Ledger
from workers.controller.notices import FEWER, GAVE_WAY, UNLOADED, Notices, failed_records, held_back
from workers.controller.reconcile import Plan
from workers.controller.restarts import Restarts
from workers.controller.wishes import Wishes

REF = ModelRef("digits", 1)
VERSION = DesiredVersion(ref=REF, digest="0" * 64)
WISHES = Wishes(versions=(VERSION,))
READY = make_record(REF)
LOADING = make_record(REF, state=RunnerState.LOADING)
FAILED = make_record(REF, state=RunnerState.FAILED, address="")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(patience_s=30.0)


def published(client: mock.Mock) -> list[DirectorySnapshot]:
    pipeline = client.pipeline.return_value.__enter__.return_value
    return [decode_directory(call.args[1]) for call in pipeline.set.call_args_list]


def make_notices(*, heartbeat_s: float = 60.0) -> tuple[Notices, mock.Mock]:
    client = mock.MagicMock()
    return Notices(client, heartbeat_s=heartbeat_s), client


def test_first_snapshot_is_due() -> None:
    notices, client = make_notices()
    assert notices.is_due

    notices.publish([READY])

    assert not notices.is_due
    assert published(client)[0].runners == [READY]


def test_only_what_changes_is_published_between_heartbeats() -> None:
    notices, client = make_notices()
    held = HeldBack(name="digits", version=2, reason="No memory.")
    steps: list[tuple[list[RunnerRecord], list[HeldBack]]] = [
        ([LOADING], []),
        ([make_record(REF, state=RunnerState.LOADING, queued_rows=3)], []),
        ([READY], []),
        ([READY], [held]),
    ]
    for runners, notes in steps:
        notices.publish(runners, notes)

    assert [(one.runners[0].state, len(one.held_back)) for one in published(client)] == [
        (RunnerState.LOADING, 0),
        (RunnerState.READY, 0),
        (RunnerState.READY, 1),
    ]


def test_heartbeat_is_published_though_nothing_changed() -> None:
    notices, client = make_notices(heartbeat_s=0.0)
    notices.publish([READY], is_due=notices.is_due)
    notices.publish([READY], is_due=notices.is_due)

    assert len(published(client)) == 2


@pytest.mark.parametrize(("runners", "reasons"), [([], ["The hash differs."]), ([READY], []), ([LOADING], [])])
def test_version_whose_last_runner_failed_is_told_of(runners: Sequence[RunnerRecord], reasons: list[str]) -> None:
    restarts = Restarts()
    restarts.note_end(VERSION, "The hash differs.", served_s=0.0)

    records = failed_records(WISHES, Plan(), runners, restarts)

    assert [(record.state, record.reason) for record in records] == [(RunnerState.FAILED, one) for one in reasons]


def test_version_that_never_fits_fails() -> None:
    (record,) = failed_records(WISHES, Plan(oversized={VERSION: "Too large."}), [], Restarts())

    assert (record.name, record.version, record.reason) == ("digits", 1, "Too large.")


@pytest.mark.parametrize(
    ("runners", "has_given_way", "reasons"),
    [
        ([], False, []),
        ([], True, [GAVE_WAY]),
        ([LOADING], True, [GAVE_WAY]),
        ([FAILED], True, []),
        ([READY], True, []),
    ],
)
def test_version_that_gave_way_is_held_back_until_it_is_back(
    ledger: Ledger, runners: list[RunnerRecord], has_given_way: bool, reasons: list[str]
) -> None:
    ledger.note_evicted([VERSION] if has_given_way else [])

    assert [each.reason for each in held_back(WISHES, Plan(), runners, ledger)] == reasons


def test_plans_reason_and_unload_are_told(ledger: Ledger) -> None:
    wishes = Wishes(versions=(VERSION,), unloaded=frozenset({ModelRef("digits", 2)}))

    notices = held_back(wishes, Plan(held_back={VERSION: "No memory."}), [], ledger)

    assert [(each.version, each.reason) for each in notices] == [(2, UNLOADED), (1, "No memory.")]


def test_missing_instances_are_told_though_one_answers(ledger: Ledger) -> None:
    notices = held_back(WISHES, Plan(held_back={VERSION: "No memory."}), [READY], ledger)

    assert [each.reason for each in notices] == [FEWER]
