"""Clients and tokens on both databases, and revocations between processes that share a Redis."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
import redis

from app.db.migrate import upgrade
from app.db.session import Database
from app.errors import ClientExists, DatabaseUnavailable, InvalidClient, RevokedToken
from app.infra.redis import make_redis
from app.services.clients import ClientDraft, ClientService
from app.services.tokens import TokenService
from app.settings import Settings
from tests.factories.postgres_server import PostgresServer, running_postgres
from tests.factories.redis_server import RedisServer
from tests.factories.settings import make_settings
from tests.factories.tokens import make_codec
from tests.factories.waiting import wait_until

REFUSED_WITHIN_S = 1.0


@dataclass
class Worker:
    """What one web worker has of identity."""

    database: Database
    redis: redis.Redis
    tokens: TokenService
    clients: ClientService

    def refuses(self, token: str) -> bool:
        """Say whether the worker takes the token for revoked."""
        try:
            self.tokens.verify(token)
        except RevokedToken:
            return True
        return False

    def hears(self) -> bool:
        """Say whether other workers' revocations arrive."""
        return self.tokens.revocations.covers(time.monotonic())

    def close(self) -> None:
        """Stop everything."""
        self.tokens.stop()
        self.redis.close()
        self.database.close()


def make_worker(settings: Settings) -> Worker:
    database, client = Database(settings.database_url), make_redis(settings)
    tokens = TokenService(settings, database, make_codec(settings), redis_client=client)
    worker = Worker(database, client, tokens, ClientService(settings, database, tokens.revocations))
    worker.tokens.start()
    return worker


@pytest.fixture
def workers(tmp_path: Path, server: RedisServer) -> Iterator[list[Worker]]:
    """Two workers with one database and one Redis, and a memory long enough to be caught with."""
    settings = make_settings(tmp_path, redis_url=server.url, token_memory_s=60.0)
    upgrade(settings.database_url)
    with ExitStack() as stack:
        made = [make_worker(settings) for _ in range(2)]
        for worker in made:
            stack.callback(worker.close)
            wait_until(worker.hears)
        yield made


def issue(worker: Worker, client_id: str = "checkout") -> str:
    issued = worker.clients.create(ClientDraft(client_id=client_id, scopes=frozenset({"infer"})), by="test")
    return worker.tokens.issue(client_id, issued.secret).access_token


def test_a_revoked_token_is_refused_by_other_workers_within_a_second(workers: list[Worker]) -> None:
    here, there = workers
    token = issue(here)
    there.tokens.verify(token)

    here.tokens.revoke(token)

    wait_until(lambda: there.refuses(token), timeout_s=REFUSED_WITHIN_S)


def test_a_deleted_clients_tokens_are_refused_by_other_workers_within_a_second(workers: list[Worker]) -> None:
    here, there = workers
    token = issue(here)
    there.tokens.verify(token)

    here.clients.delete("checkout", by="test")

    wait_until(lambda: there.refuses(token), timeout_s=REFUSED_WITHIN_S)


def test_without_redis_a_revocation_still_arrives_within_a_second(workers: list[Worker], server: RedisServer) -> None:
    here, there = workers
    token = issue(here)
    there.tokens.verify(token)
    server.stop()
    wait_until(lambda: not there.hears())

    here.tokens.revoke(token)

    wait_until(lambda: there.refuses(token), timeout_s=REFUSED_WITHIN_S)


def test_while_redis_hangs_a_revocation_still_arrives_within_a_second(
    workers: list[Worker], server: RedisServer
) -> None:
    here, there = workers
    token = issue(here)
    there.tokens.verify(token)
    server.freeze()

    here.tokens.revoke(token)

    wait_until(lambda: there.refuses(token), timeout_s=REFUSED_WITHIN_S)
    server.thaw()


def test_what_was_missed_while_redis_was_away_is_looked_up(workers: list[Worker], server: RedisServer) -> None:
    here, there = workers
    token = issue(here)
    server.stop()
    wait_until(lambda: not there.hears())
    there.tokens.verify(token)
    here.tokens.revoke(token)
    server.start()
    wait_until(there.hears)

    wait_until(lambda: there.refuses(token), timeout_s=REFUSED_WITHIN_S)


@pytest.mark.parametrize("error", [redis.ConnectionError("lost"), redis.ResponseError("NOPERM no publishing for you")])
def test_an_announcement_that_failed_is_made_a_moment_later(workers: list[Worker], error: redis.RedisError) -> None:
    """The others hear all the while: they would trust what they remember."""
    here, there = workers
    token, other = issue(here), issue(here, "search")
    for held in (token, other):
        there.tokens.verify(held)
    with mock.patch.object(here.redis, "publish", autospec=True, side_effect=error) as publish:
        here.tokens.revoke(token)
        here.clients.delete("search", by="test")
        wait_until(lambda: publish.call_count > 3)
        assert not there.refuses(token)

    wait_until(lambda: there.refuses(token) and there.refuses(other), timeout_s=REFUSED_WITHIN_S)


def test_a_worker_that_hears_asks_sql_once_per_memory(workers: list[Worker]) -> None:
    here, there = workers
    token = issue(here)
    there.tokens.verify(token)
    there.database.close()
    there.tokens._database = Database("sqlite:////nowhere/at/all.db")

    deadline = time.monotonic() + REFUSED_WITHIN_S
    while time.monotonic() < deadline:
        assert there.tokens.verify(token).client_id == "checkout"


def test_identity_on_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.make_database()
    settings = make_settings(tmp_path, database_url=url)
    upgrade(url)
    database = Database(url)
    clients, tokens = ClientService(settings, database), TokenService(settings, database, make_codec(settings))
    issued = clients.create(ClientDraft(client_id="checkout", scopes=frozenset({"infer"})), by="test")
    with pytest.raises(ClientExists):
        clients.create(ClientDraft(client_id="checkout", scopes=frozenset({"infer"})), by="test")

    token = tokens.issue("checkout", issued.secret).access_token
    identity = tokens.verify(token)
    tokens.revoke(token)

    assert identity.client_id == "checkout"
    with pytest.raises(RevokedToken):
        tokens.verify(token)
    assert [facts.created_at for facts in clients.page()] == [issued.client.created_at]
    clients.delete("checkout", by="test")
    with pytest.raises(InvalidClient):
        tokens.issue("checkout", issued.secret)
    database.close()


@pytest.mark.parametrize("hostile", ["nul\0", "x" * 10_000, "'; DROP TABLE clients; --", "ünïcode"])
def test_hostile_credentials_are_only_wrong_on_postgresql(
    postgres: PostgresServer, tmp_path: Path, hostile: str
) -> None:
    url = postgres.make_database()
    upgrade(url)
    database = Database(url)
    settings = make_settings(tmp_path, database_url=url)
    tokens = TokenService(settings, database, make_codec(settings))

    for client_id, secret in ((hostile, "0" * 60), ("checkout", hostile), ("checkout", "00000000" + hostile)):
        with pytest.raises(InvalidClient):
            tokens.authenticate(client_id, secret)
    database.close()


def test_service_goes_on_while_postgresql_is_down(tmp_path: Path) -> None:
    with running_postgres() as server:
        url = server.make_database()
        settings = make_settings(tmp_path, database_url=url, token_memory_s=0.0)
        upgrade(url)
        database = Database(url)
        clients, tokens = ClientService(settings, database), TokenService(settings, database, make_codec(settings))
        issued = clients.create(ClientDraft(client_id="checkout", scopes=frozenset({"infer"})), by="test")
        token = tokens.issue("checkout", issued.secret).access_token
        tokens.verify(token)

        server.stop()
        assert tokens.verify(token).client_id == "checkout"
        with pytest.raises(DatabaseUnavailable):
            tokens.issue("checkout", issued.secret)

        server.restart()
        assert tokens.issue("checkout", issued.secret)
        database.close()
