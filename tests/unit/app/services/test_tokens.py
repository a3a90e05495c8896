"""Tokens are issued for the right secret, verified once in a while, and refused at once when revoked."""

from pathlib import Path
from unittest import mock

import pytest

from app.errors import (
    ExpiredToken,
    InvalidClient,
    InvalidScope,
    InvalidToken,
    RevokedToken,
)
from app.services import client_secrets
from app.services.clients import ClientDraft, ClientService, IssuedSecret
from app.services.tokens import DEAF_MEMORY_S, Identity, TokenService
from tests.factories.database import FragileDatabase
from tests.factories.settings import make_settings
from tests.fakes.clock import START, FakeClock
from tests.fakes.token_codec import FakeTokenCodec

LIFETIME_S = 600


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


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


def test_a_token_says_who_its_holder_is(tokens: TokenService, token: str) -> None:
    identity = tokens.verify(token)

    assert identity.client_id == "checkout"
    assert identity.scopes == {"infer", "jobs"}
    assert identity.expires_at == START + LIFETIME_S


def test_each_token_has_its_own_id(tokens: TokenService, issued: IssuedSecret, token: str) -> None:
    another = tokens.issue("checkout", issued.secret).access_token

    assert tokens.verify(another).token_id != tokens.verify(token).token_id


@pytest.mark.parametrize(
    ("asked", "granted"), [(None, "infer jobs"), ("", "infer jobs"), (" jobs ", "jobs"), ("jobs infer", "infer jobs")]
)
def test_scopes_are_those_asked_for_or_all(
    tokens: TokenService, issued: IssuedSecret, asked: str | None, granted: str
) -> None:
    fresh = tokens.issue("checkout", issued.secret, asked)

    assert (fresh.scope, fresh.expires_in) == (granted, LIFETIME_S)
    assert tokens.verify(fresh.access_token).scopes == set(granted.split())


def test_scopes_that_the_client_lacks_are_named(tokens: TokenService, issued: IssuedSecret) -> None:
    with pytest.raises(InvalidScope, match="admin root"):
        tokens.issue("checkout", issued.secret, "infer root admin")


@pytest.mark.parametrize("client_id", ["checkout", "nobody", "nul\0", ""])
@pytest.mark.parametrize("secret", ["wrong", "", "00000000.wrong", "\0" * 20])
def test_wrong_credentials_are_one_failure(
    tokens: TokenService, issued: IssuedSecret, client_id: str, secret: str
) -> None:
    with pytest.raises(InvalidClient):
        tokens.issue(client_id, secret)


@pytest.mark.parametrize(
    ("client_id", "secret"),
    [
        ("nobody", "0123abcd.wrong"),
        ("no client's id!", "0123abcd.wrong"),
        ("checkout", "0123abcd.wrong"),
        ("checkout", "malformed"),
    ],
)
def test_whoever_is_refused_costs_one_hash(
    tokens: TokenService, issued: IssuedSecret, client_id: str, secret: str
) -> None:
    """The delay would tell otherwise which clients there are."""
    counted = mock.patch.object(client_secrets, "_verify", wraps=client_secrets._verify)
    with counted as verify:
        with pytest.raises(InvalidClient):
            tokens.authenticate(client_id, secret)
        with pytest.raises(InvalidClient):
            tokens.authenticate("checkout", f"{issued.secret[:-1]}~")

    # That of a client whose secret is nearly right is one, too.
    assert verify.call_count == 2


def test_a_secret_with_the_right_hint_and_a_wrong_rest_is_refused(tokens: TokenService, issued: IssuedSecret) -> None:
    with pytest.raises(InvalidClient):
        tokens.issue("checkout", issued.secret[:-1])


def test_the_secret_of_another_client_is_refused(
    tokens: TokenService, clients: ClientService, issued: IssuedSecret
) -> None:
    clients.create(ClientDraft(client_id="search", scopes=frozenset({"infer"})), by="test")

    with pytest.raises(InvalidClient):
        tokens.issue("search", issued.secret)


def test_a_token_ends_with_its_time(tokens: TokenService, token: str, time: FakeClock) -> None:
    time.advance(LIFETIME_S - 0.1)
    tokens.verify(token)
    time.advance(0.1)

    with pytest.raises(ExpiredToken):
        tokens.verify(token)


def test_a_revoked_token_is_refused_at_once(tokens: TokenService, token: str) -> None:
    tokens.verify(token)
    tokens.revoke(token)

    with pytest.raises(RevokedToken):
        tokens.verify(token)


def test_a_process_that_did_not_hear_finds_the_revocation_in_sql(
    tokens: TokenService, token: str, tmp_path: Path, database: FragileDatabase, time: FakeClock
) -> None:
    other = TokenService(make_settings(tmp_path), database, FakeTokenCodec(), clock=time.clock())
    other.verify(token)
    tokens.revoke(token)
    time.advance(DEAF_MEMORY_S)

    with pytest.raises(RevokedToken):
        other.verify(token)


def test_revoking_what_is_no_good_does_nothing(
    tokens: TokenService, clients: ClientService, token: str, time: FakeClock
) -> None:
    tokens.revoke("garbage")
    tokens.revoke(token)
    tokens.revoke(token)
    time.advance(LIFETIME_S)
    tokens.revoke(token)

    assert clients.purge_expired() == 1


def test_another_client_cannot_revoke_a_token(tokens: TokenService, token: str) -> None:
    with pytest.raises(InvalidClient):
        tokens.revoke(token, by="search")

    assert tokens.verify(token).client_id == "checkout"


def test_tokens_of_a_deleted_client_are_refused(
    tokens: TokenService, clients: ClientService, token: str, time: FakeClock
) -> None:
    tokens.verify(token)
    clients.delete("checkout", by="test")
    time.advance(DEAF_MEMORY_S)

    with pytest.raises(RevokedToken):
        tokens.verify(token)


def test_a_client_made_anew_does_not_inherit_tokens(
    tokens: TokenService, clients: ClientService, token: str, time: FakeClock
) -> None:
    clients.delete("checkout", by="test")
    time.advance(1)
    clients.create(ClientDraft(client_id="checkout", scopes=frozenset({"infer"})), by="test")

    with pytest.raises(RevokedToken):
        tokens.verify(token)


@pytest.mark.parametrize("garbage", ["", "x.y.z", "bearer"])
def test_garbage_is_invalid_and_not_remembered(tokens: TokenService, garbage: str) -> None:
    for _ in range(2):
        with pytest.raises(InvalidToken):
            tokens.verify(garbage)


def test_a_client_may_use_the_models_its_globs_name() -> None:
    identity = Identity(
        client_id="c",
        scopes=frozenset(),
        model_globs=("fraud*", "digits"),
        token_id="t",
        issued_at=0.0,
        expires_at=0.0,
    )

    assert identity.may_use("fraud-eu")
    assert identity.may_use("digits")
    assert not identity.may_use("Digits")
    assert not identity.may_use("text")
