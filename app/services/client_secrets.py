"""Client secrets: how they are made, hashed and checked."""

import re
import secrets
import threading
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from app.infra.off_hub import off_hub

HINT_LENGTH = 8
_HINT = re.compile(rf"[0-9a-f]{{{HINT_LENGTH}}}")

# 19 MiB and two passes (OWASP's floor for argon2id): about 20 ms. Secrets are 256 random bits, not passwords,
# so more would only slow callers down.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# A flood of logins may use two cores and 38 MiB, not all of them.
_HASHING = threading.BoundedSemaphore(2)
# What strangers are compared with, so that the answer's delay does not tell whether a client exists.
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$rKeBPVWsQhc8Hy8YmCMJNg$GNy0lbnp4wzK4DegyVRAZNUVc1F5Yu3vbjbbsKtOwfQ"


@dataclass(frozen=True, kw_only=True)
class NewSecret:
    """A secret just made: `plain` is shown once, `hint` and `digest` are stored."""

    plain: str
    hint: str
    digest: str


def make_secret() -> NewSecret:
    """Make a random secret of 256 bits behind a hint that finds its hash."""
    hint = secrets.token_hex(HINT_LENGTH // 2)
    plain = f"{hint}.{secrets.token_urlsafe(32)}"
    return NewSecret(plain=plain, hint=hint, digest=_hash(plain))


def hint_of(secret: str) -> str | None:
    """Return the part of a secret that is stored in clear to find its hash, None if it is none of ours."""
    hint = secret[:HINT_LENGTH]
    return hint if _HINT.fullmatch(hint) else None


def is_secret(secret: str, digest: str | None) -> bool:
    """Say whether `digest` is the hash of `secret`. No digest costs the same time, and is never right."""
    with _HASHING:
        is_match = off_hub(_verify, digest or _NOBODYS, secret)

    return is_match and digest is not None


def _hash(secret: str) -> str:
    with _HASHING:
        return off_hub(_HASHER.hash, secret)


def _verify(digest: str, secret: str) -> bool:
    try:
        return _HASHER.verify(digest, secret)
    except (Argon2Error, InvalidHashError):
        return False
