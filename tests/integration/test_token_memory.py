"""What a worker remembers of verified tokens: while SQL is asked, when it answers, and while it is away."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from greenlet import GreenletExit
from sqlalchemy.orm import Session

from app.errors import DatabaseUnavailable, ExpiredToken, RevokedToken
from app.services.clients import ClientDraft, ClientService, IssuedSecret
from app.services.tokens import DEAF_MEMORY_S, TokenService
from tests.factories.database import FragileDatabase, make_database
from tests.factories.settings import make_settings
from tests.fakes.clock import FakeClock
from tests.fakes.token_codec import FakeTokenCodec

LIFETIME_S = 600


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[FragileDatabase]:
    database = make_database(tmp_path)
    yield database
    database.close()


@pytest.fixture
def tokens(tmp_path: Path, database: FragileDatabase, time: FakeClock) -> TokenService:
    settings = make_settings(tmp_path, token_lifetime_s=LIFETIME_S, token_memory_s=5.0)
    return TokenService(settings, database, FakeTokenCodec(), clock=time.clock())


@pytest.fixture
def clients(tmp_path: Path, database: FragileDatabase, time: FakeClock) -> ClientService:
    return ClientService(make_settings(tmp_path), database, clock=time.clock())


@pytest.fixture
def issued(clients: ClientService) -> IssuedSecret:
    draft = ClientDraft(client_id="checkout", scopes=frozenset({"infer", "jobs"}), model_globs=("fraud*", "digits"))
    return clients.create(draft, by="test")


@pytest.fixture
def token(tokens: TokenService, issued: IssuedSecret) -> str:
    return tokens.issue("checkout", issued.secret).access_token


def test_sql_is_asked_once_within_the_memory(
    tokens: TokenService, token: str, database: FragileDatabase, time: FakeClock
) -> None:
    before = database.reads
    for _ in range(10):
        tokens.verify(token)
    assert database.reads == before + 1

    time.advance(DEAF_MEMORY_S)
    tokens.verify(token)
    assert database.reads == before + 2


@pytest.mark.parametrize("is_known", [False, True])
def test_while_sql_is_asked_only_a_token_that_was_good_before_is_taken_from_memory(
    tokens: TokenService,
    token: str,
    database: FragileDatabase,
    time: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_known: bool,
) -> None:
    if is_known:
        tokens.verify(token)
        time.advance(60)
    read, asked = database.read, []

    def read_while_another_request_comes() -> AbstractContextManager[Session]:
        asked.append("SQL")
        if len(asked) == 1:
            tokens.verify(token)
        return read()

    monkeypatch.setattr(database, "read", read_while_another_request_comes)
    tokens.verify(token)

    assert len(asked) == (1 if is_known else 2)


def test_a_check_that_breaks_off_leaves_nothing_to_trust(
    tokens: TokenService, token: str, database: FragileDatabase, time: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.verify(token)
    time.advance(60)
    with monkeypatch.context() as patch:
        patch.setattr(database, "read", create_autospec(database.read, side_effect=GreenletExit))
        with pytest.raises(GreenletExit):
            tokens.verify(token)
    before = database.reads

    tokens.verify(token)
    assert database.reads == before + 1


def test_while_sql_is_away_known_clients_go_on(
    tokens: TokenService, issued: IssuedSecret, token: str, database: FragileDatabase, time: FakeClock
) -> None:
    tokens.verify(token)
    unseen = tokens.issue("checkout", issued.secret).access_token
    database.is_away = True
    time.advance(60)

    assert tokens.verify(token).client_id == "checkout"
    assert tokens.verify(unseen).client_id == "checkout"


def test_while_sql_is_away_it_is_not_asked_for_each_request(
    tokens: TokenService, token: str, database: FragileDatabase, time: FakeClock
) -> None:
    tokens.verify(token)
    database.is_away = True
    time.advance(60)
    before = database.reads
    for _ in range(10):
        tokens.verify(token)

    assert database.reads == before + 1


def test_while_sql_is_away_a_client_known_to_be_deleted_stays_out(
    tokens: TokenService,
    clients: ClientService,
    issued: IssuedSecret,
    token: str,
    database: FragileDatabase,
    time: FakeClock,
) -> None:
    unseen = tokens.issue("checkout", issued.secret).access_token
    tokens.verify(token)
    clients.delete("checkout", by="test")
    time.advance(DEAF_MEMORY_S)
    with pytest.raises(RevokedToken):
        tokens.verify(token)
    database.is_away = True

    for refused in (token, unseen):
        with pytest.raises(DatabaseUnavailable):
            tokens.verify(refused)


def test_while_sql_is_away_strangers_wait(tokens: TokenService, token: str, database: FragileDatabase) -> None:
    database.is_away = True

    with pytest.raises(DatabaseUnavailable):
        tokens.verify(token)


def test_while_sql_is_away_revoked_and_expired_tokens_stay_refused(
    tokens: TokenService, issued: IssuedSecret, token: str, database: FragileDatabase, time: FakeClock
) -> None:
    other = tokens.issue("checkout", issued.secret).access_token
    tokens.verify(token)
    tokens.verify(other)
    tokens.revoke(other)
    database.is_away = True

    with pytest.raises(RevokedToken):
        tokens.verify(other)
    time.advance(LIFETIME_S)
    with pytest.raises(ExpiredToken):
        tokens.verify(token)
