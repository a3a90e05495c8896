"""Clients, secrets and revocations go in and come back as values."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from app.db.repositories.clients import ClientRepository, is_client_id
from app.db.session import Database
from app.errors import ClientExists, ClientNotFound, RevokedToken
from tests.factories.clients import NOW, make_facts


@pytest.fixture
def clients(database: Database) -> Iterator[ClientRepository]:
    # Nothing is committed: some tests leave a transaction that failed.
    with database.read() as session:
        yield ClientRepository(session)


def test_a_client_comes_back_as_it_was_added(clients: ClientRepository) -> None:
    facts = make_facts(scopes=frozenset({"infer", "jobs"}), model_globs=("fraud*", "digits"))

    clients.add(facts)

    assert clients.get(facts.client_id) == facts


def test_an_id_is_taken_once(clients: ClientRepository) -> None:
    clients.add(make_facts())

    with pytest.raises(ClientExists):
        clients.add(make_facts())


def test_pages_are_in_order_of_ids(clients: ClientRepository) -> None:
    for client_id in ("c", "a", "d", "b"):
        clients.add(make_facts(client_id=client_id))

    assert [facts.client_id for facts in clients.page(offset=1, limit=2)] == ["b", "c"]
    assert len(clients.page()) == clients.count() == 4


@pytest.mark.parametrize("client_id", ["nobody", "nul\0", "", "x" * 65])
def test_unknown_ids_are_not_found(clients: ClientRepository, client_id: str) -> None:
    with pytest.raises(ClientNotFound):
        clients.get(client_id)
    with pytest.raises(ClientNotFound):
        clients.delete(client_id)


def test_a_lock_is_not_for_those_of_a_client_that_is_gone(clients: ClientRepository) -> None:
    issued_at = NOW.timestamp() + 1
    with pytest.raises(RevokedToken):
        clients.lock("checkout", issued_at=issued_at)
    clients.add(make_facts())
    clients.lock("checkout", issued_at=issued_at)

    clients.delete("checkout")
    clients.add(make_facts(created_at=NOW + timedelta(seconds=2)))

    with pytest.raises(RevokedToken):
        clients.lock("checkout", issued_at=issued_at)
    clients.lock("checkout")


def test_deleting_a_client_deletes_its_secrets(clients: ClientRepository) -> None:
    clients.add(make_facts())
    clients.add_secret("checkout", hint="00000001", digest="one", created_at=NOW)

    clients.delete("checkout")
    clients.add(make_facts())

    assert clients.secret_hash("checkout", hint="00000001", now=NOW) is None


def test_a_secret_needs_its_client(clients: ClientRepository) -> None:
    with pytest.raises(ClientNotFound):
        clients.add_secret("nobody", hint="00000001", digest="one", created_at=NOW)


def test_expired_secrets_are_not_found(clients: ClientRepository) -> None:
    clients.add(make_facts())
    clients.add_secret("checkout", hint="00000001", digest="old", created_at=NOW)
    clients.expire_secrets("checkout", NOW + timedelta(hours=1))
    clients.add_secret("checkout", hint="00000002", digest="new", created_at=NOW)

    later = NOW + timedelta(hours=1)

    assert clients.secret_hash("checkout", hint="00000001", now=NOW) == "old"
    assert clients.secret_hash("checkout", hint="00000001", now=later) is None
    assert clients.secret_hash("checkout", hint="00000002", now=later) == "new"


def test_expiring_again_never_prolongs(clients: ClientRepository) -> None:
    clients.add(make_facts())
    clients.add_secret("checkout", hint="00000001", digest="old", created_at=NOW)
    clients.expire_secrets("checkout", NOW + timedelta(hours=1))

    clients.expire_secrets("checkout", NOW + timedelta(hours=9))

    assert clients.secret_hash("checkout", hint="00000001", now=NOW + timedelta(hours=2)) is None


def test_standing_of_a_good_a_revoked_and_a_strangers_token(clients: ClientRepository) -> None:
    clients.add(make_facts())
    clients.revoke("spent", "checkout", now=NOW, expires_at=NOW + timedelta(hours=1))

    good, spent = clients.standing("checkout", "fresh"), clients.standing("checkout", "spent")

    assert (good.client_since, good.is_revoked) == (NOW, False)
    assert (spent.client_since, spent.is_revoked) == (NOW, True)
    assert clients.standing("nobody", "fresh").client_since is None


def test_revoking_twice_is_revoking_once(clients: ClientRepository) -> None:
    for _ in range(2):
        clients.revoke("spent", "checkout", now=NOW, expires_at=NOW + timedelta(hours=1))

    assert clients.purge_expired(NOW + timedelta(hours=1)) == 1


def test_purging_keeps_what_still_matters(clients: ClientRepository) -> None:
    clients.add(make_facts())
    clients.add_secret("checkout", hint="00000001", digest="old", created_at=NOW)
    clients.expire_secrets("checkout", NOW + timedelta(hours=1))
    clients.add_secret("checkout", hint="00000002", digest="new", created_at=NOW)
    clients.revoke("short", "checkout", now=NOW, expires_at=NOW + timedelta(hours=1))
    clients.revoke("long", "checkout", now=NOW, expires_at=NOW + timedelta(hours=3))

    purged = clients.purge_expired(NOW + timedelta(hours=2))

    assert purged == 2
    assert clients.standing("checkout", "long").is_revoked
    assert clients.secret_hash("checkout", hint="00000002", now=NOW) == "new"


def test_what_a_client_may_be_called() -> None:
    assert is_client_id("team-a.service_1")
    assert not any(map(is_client_id, ["", "-a", "a b", "a/b", "ä", "a\n", "x" * 65]))
