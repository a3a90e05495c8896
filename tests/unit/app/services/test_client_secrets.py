"""Secrets are long, hashed, and found by their hint."""

import argon2
import pytest

from app.services import client_secrets
from app.services.client_secrets import HINT_LENGTH, hint_of, is_secret, make_secret


@pytest.fixture(autouse=True)
def _quick_secrets() -> None:
    """Take the real parameters here."""


def test_a_secret_is_its_own_and_nothing_else_is() -> None:
    secret, other = make_secret(), make_secret()

    assert is_secret(secret.plain, secret.digest)
    assert not is_secret(other.plain, secret.digest)
    assert not is_secret("", secret.digest)


def test_the_hash_tells_nothing_and_the_hint_finds_it() -> None:
    secret = make_secret()

    assert secret.plain not in secret.digest
    assert hint_of(secret.plain) == secret.hint
    assert len(secret.plain) > HINT_LENGTH + 40


@pytest.mark.parametrize("secret", ["", "short", "nothexad.rest", "\0" * 40, "ÄÖÜäöüßß.rest"])
def test_what_is_none_of_our_secrets_has_no_hint(secret: str) -> None:
    assert hint_of(secret) is None


@pytest.mark.parametrize("digest", ["", "not a hash", "$argon2id$v=19$m=8"])
def test_a_broken_hash_matches_nothing(digest: str) -> None:
    assert not is_secret("anything", digest)


def test_no_hash_matches_nothing_even_nobodys_own_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = make_secret()
    monkeypatch.setattr(client_secrets, "_NOBODYS", secret.digest)

    assert not is_secret(secret.plain, None)


def test_strangers_cost_as_much_as_clients() -> None:
    """The hash that strangers are compared with has the parameters of all others."""
    nobodys, ours = client_secrets._NOBODYS, make_secret().digest

    assert argon2.extract_parameters(nobodys) == argon2.extract_parameters(ours)
