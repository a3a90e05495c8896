"""A payment of a job goes on with the sequence that it would go on with over HTTP; other rows with none."""

from app.scenarios.fraud_events import encode_event
from app.scenarios.job_kind import AskedRow
from app.scenarios.job_kinds import JOB_KINDS
from app.services.fraud_sequence import sequence_of
from tests.factories.payments import payment
from workers.batch.row_sequences import sequences_of


def test_payments_go_on_with_their_accounts() -> None:
    events = [payment(account_id="a", event_id="1"), payment(account_id="b", event_id="2")]
    rows = [AskedRow([encode_event(event)], event) for event in events]

    assert sequences_of(JOB_KINDS["fraud"], rows) == [sequence_of(event) for event in events]


def test_rows_of_other_kinds_remember_nothing() -> None:
    others = [kind for kind in JOB_KINDS.values() if kind.name != "fraud"]

    assert [sequences_of(kind, [AskedRow([b"row"])]) for kind in others] == [[]] * len(others)


def test_kinds_whose_rows_remember_are_done_in_order() -> None:
    assert [kind.name for kind in JOB_KINDS.values() if kind.is_ordered] == ["fraud"]
