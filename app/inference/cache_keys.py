"""Keys of kept answers: digests of everything that decides an answer, and of nothing else."""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from app.inference.cache import CachedCall
from app.inference.messages import Row
from app.infra.off_hub import off_hub

KEY_BYTES: Final = 16
# Raised when runners of a new release answer the same rows of the same version otherwise than those before did.
_PERSON: Final = b"galley-answers-1"
_SHARED_PREFIX: Final = "galley:cache:"
# So much is hashed in a millisecond; more would hold the hub.
_HASHED_AT_ONCE: Final = 2**20
_MOST_PREFIXES: Final = 4096

_encode_parts = msgspec.msgpack.Encoder().encode
_encode_parameters = msgspec.json.Encoder(order="sorted").encode


class CacheKeys:
    """Makes the keys of a call's rows, and remembers the state of the hash that all calls of a version begin with.

    The parts in front of a row are framed by their lengths, so no two calls that differ run together into the same
    bytes. Greenlets may share it.
    """

    def __init__(self) -> None:
        self._prefixes: dict[tuple[str, str, int, str, bytes, bool], hashlib.blake2b] = {}

    def of(self, call: CachedCall) -> list[bytes]:
        """Return the key of each row, in order."""
        parameters = _encode_parameters(call.parameters) if call.parameters else b""
        prefix = self._prefix(call, parameters)
        if call.client_id:
            prefix = prefix.copy()
            prefix.update(_encode_parts(call.client_id))
        if sum(map(len, call.rows)) > _HASHED_AT_ONCE:
            return off_hub(_hash_rows, prefix, call.rows)

        return _hash_rows(prefix, call.rows)

    def _prefix(self, call: CachedCall, parameters: bytes) -> hashlib.blake2b:
        # Whether a client follows is said too: else a row could begin like one.
        memory_key = (call.digest, call.ref.name, call.ref.version, call.form, parameters, bool(call.client_id))
        prefix = self._prefixes.get(memory_key)
        if prefix is None:
            if len(self._prefixes) >= _MOST_PREFIXES:
                # Parameters are the callers': whoever goes through all of them costs others a microsecond, not memory.
                self._prefixes.clear()
            prefix = self._prefixes[memory_key] = hashlib.blake2b(
                _encode_parts(memory_key), digest_size=KEY_BYTES, person=_PERSON
            )
        return prefix


def shared_key(key: bytes) -> str:
    """Return what a key is called in Redis."""
    return _SHARED_PREFIX + key.hex()


def _hash_rows(prefix: hashlib.blake2b, rows: Sequence[Row]) -> list[bytes]:
    return [_hash_row(prefix, row) for row in rows]


def _hash_row(prefix: hashlib.blake2b, row: Row) -> bytes:
    state = prefix.copy()
    state.update(row)
    return state.digest()
