"""Clients are made with one secret, given new ones, and deleted."""

import stat
from pathlib import Path
from typing import Any

import pytest

from app.errors import ClientExists, ClientNotFound, InvalidClient, InvalidFields
from app.services.clients import ClientDraft, ClientService
from app.services.scopes import ALL_SCOPES
from app.services.tokens import TokenService
from tests.factories.database import FragileDatabase
from tests.factories.settings import make_settings
from tests.fakes.clock import FakeClock
from tests.fakes.token_codec import FakeTokenCodec

GRACE_S = 100


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def clients(tmp_path: Path, database: FragileDatabase, time: FakeClock) -> ClientService:
    return ClientService(make_settings(tmp_path, secret_grace_s=GRACE_S), database, clock=time.clock())


@pytest.fixture
def tokens(tmp_path: Path, database: FragileDatabase, time: FakeClock) -> TokenService:
    return TokenService(make_settings(tmp_path), database, FakeTokenCodec(), clock=time.clock())


def draft(**changes: Any) -> ClientDraft:
    return ClientDraft(**{"client_id": "checkout", "scopes": frozenset({"infer"}), **changes})


def test_a_new_client_can_log_in(clients: ClientService, tokens: TokenService) -> None:
    issued = clients.create(draft(), by="admin")

    assert tokens.authenticate("checkout", issued.secret) == issued.client
    assert issued.client.created_by == "admin"


def test_the_database_never_holds_a_secret(clients: ClientService, tmp_path: Path) -> None:
    secret = clients.create(draft(), by="admin").secret

    written = b"".join(path.read_bytes() for path in tmp_path.glob("galley.db*"))
    assert b"checkout" in written
    assert secret.partition(".")[2].encode() not in written


def test_an_id_is_taken_once_and_the_first_secret_stays(clients: ClientService, tokens: TokenService) -> None:
    issued = clients.create(draft(), by="admin")

    with pytest.raises(ClientExists):
        clients.create(draft(), by="admin")
    assert tokens.authenticate("checkout", issued.secret).client_id == "checkout"


def test_clients_without_an_id_get_different_ones(clients: ClientService) -> None:
    made = {clients.create(draft(client_id=None), by="admin").client.client_id for _ in range(3)}

    assert {facts.client_id for facts in clients.page()} == made
    assert clients.count() == 3


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("client_id", {"client_id": "a b"}),
        ("client_id", {"client_id": ""}),
        ("client_id", {"client_id": "x" * 65}),
        ("scopes", {"scopes": frozenset()}),
        ("scopes", {"scopes": frozenset({"root"})}),
        ("models", {"model_globs": ()}),
        ("models", {"model_globs": ("a/b",)}),
        ("models", {"model_globs": ("",)}),
        ("models", {"model_globs": ("a",) * 65}),
        ("description", {"description": "x" * 257}),
        ("description", {"description": "nul\0"}),
    ],
)
def test_a_draft_says_which_field_is_wrong(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidFields) as refusal:
        draft(**changes)

    assert list(refusal.value.errors) == [field]


def test_both_secrets_are_good_for_the_grace_period(
    clients: ClientService, tokens: TokenService, time: FakeClock
) -> None:
    old = clients.create(draft(), by="admin").secret
    new = clients.rotate("checkout", by="test").secret

    time.advance(GRACE_S - 1)
    assert tokens.authenticate("checkout", old) == tokens.authenticate("checkout", new)

    time.advance(1)
    assert tokens.authenticate("checkout", new)
    with pytest.raises(InvalidClient):
        tokens.authenticate("checkout", old)


def test_a_deleted_client_cannot_log_in(clients: ClientService, tokens: TokenService) -> None:
    issued = clients.create(draft(), by="admin")
    clients.delete("checkout", by="test")

    with pytest.raises(InvalidClient):
        tokens.authenticate("checkout", issued.secret)


def test_unknown_clients_are_neither_deleted_nor_rotated(clients: ClientService) -> None:
    with pytest.raises(ClientNotFound):
        clients.delete("nobody", by="test")
    with pytest.raises(ClientNotFound):
        clients.rotate("nobody", by="test")


def read_env(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_the_first_admin_is_made_on_an_empty_database_only(
    clients: ClientService, tokens: TokenService, tmp_path: Path
) -> None:
    path = tmp_path / "fresh" / "admin.env"

    assert clients.ensure_first_admin(path)
    written = path.read_text()
    assert not clients.ensure_first_admin(path)

    assert path.read_text() == written
    lines = read_env(path)
    admin = tokens.authenticate(lines["GALLEY_CLIENT_ID"], lines["GALLEY_CLIENT_SECRET"])
    assert admin.scopes == ALL_SCOPES


def test_the_first_admins_file_is_its_owners(clients: ClientService, tmp_path: Path) -> None:
    path = tmp_path / "admin.env"
    path.write_text("left from a database that is gone")
    path.chmod(0o644)

    clients.ensure_first_admin(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.glob("admin.env*")] == ["admin.env"]


def test_a_file_that_cannot_be_written_leaves_no_admin(clients: ClientService, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")

    with pytest.raises(OSError, match="blocked"):
        clients.ensure_first_admin(tmp_path / "blocked" / "admin.env")

    assert clients.count() == 0


def test_a_lost_admin_is_replaced_under_another_name(clients: ClientService) -> None:
    first, second = clients.create_admin(by="test"), clients.create_admin(by="test")

    assert first.client.client_id == "admin"
    assert second.client.client_id.startswith("admin-")
    assert second.client.scopes == ALL_SCOPES
