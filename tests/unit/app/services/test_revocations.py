"""What a process without Redis knows of revocations: its own; tests/integration has several processes."""

import pytest

from app.services.revocations import RevocationFeed
from tests.fakes.clock import START, FakeClock


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def feed(time: FakeClock) -> RevocationFeed:
    return RevocationFeed(None, remember_s=100, clock=time.clock())


def is_refused(feed: RevocationFeed, token_id: str = "t", client_id: str = "c", issued_at: float = START) -> bool:
    return feed.is_refused(token_id=token_id, client_id=client_id, issued_at=issued_at)


def test_a_revoked_token_is_refused_and_no_other(feed: RevocationFeed) -> None:
    feed.tell_token("t")

    assert is_refused(feed, "t")
    assert not is_refused(feed, "u")


def test_a_clients_tokens_are_refused_until_it_is_made_anew(feed: RevocationFeed, time: FakeClock) -> None:
    time.advance(5)
    feed.tell_client("c")

    assert is_refused(feed, issued_at=START + 5)
    assert not is_refused(feed, issued_at=START + 6)
    assert not is_refused(feed, client_id="d")


def test_tokens_and_clients_of_one_name_are_not_mixed_up(feed: RevocationFeed) -> None:
    feed.tell_token("c")

    assert not is_refused(feed, token_id="t", client_id="c")


def test_what_has_expired_anyway_is_forgotten(feed: RevocationFeed, time: FakeClock) -> None:
    feed.tell_token("t")
    time.advance(101)

    assert not is_refused(feed, "t")


def test_without_redis_nothing_is_covered(feed: RevocationFeed, time: FakeClock) -> None:
    assert not feed.covers(time.elapsed_s)
