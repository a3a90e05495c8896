"""The sequence of a payment: its account's, named by its own id, with or without a session's mark."""

from app.scenarios.fraud_windows import LONGEST
from app.services.fraud_sequence import ACCOUNT_KEEP_S, ANSWER_KEEP_S, sequence_of
from tests.factories.payments import payment


def test_an_event_goes_on_with_its_account() -> None:
    call = sequence_of(payment(account_id="a-7", event_id="e-9", merchant_id="m"))

    assert (call.key, call.event) == ("a-7", "e-9")
    assert (call.keep_s, call.answer_keep_s) == (ACCOUNT_KEEP_S, ANSWER_KEEP_S)


def test_accounts_are_not_numbered_so_that_sessions_may_share_one() -> None:
    call = sequence_of(payment())

    assert (call.number, call.after, call.mark, call.mark_number) == (0, 0, "", 0)


def test_a_session_is_marked_with_the_move() -> None:
    call = sequence_of(payment(), mark_key="galley:session:s:seq", mark_number=12)

    assert (call.mark, call.mark_number, call.number) == ("galley:session:s:seq", 12, 0)


def test_an_account_is_kept_for_longer_than_its_longest_window() -> None:
    assert LONGEST.bucket_s * LONGEST.buckets < ACCOUNT_KEEP_S
