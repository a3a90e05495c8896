"""Recommendations: what is asked for one user, on the wire between web and runner."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

TASK: Final = "ranking"
DEFAULT_K: Final = 10
MAX_K: Final = 1000
MAX_USERS: Final = 256
MAX_EXCLUDED: Final = 1000

Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Meta(ge=1, le=MAX_K)]
Excluded = Annotated[list[Id], Meta(max_length=MAX_EXCLUDED)]

# In msgpack, the beginning of an array of three.
_ROW_START: Final = b"\x93"


class RankingRow(Struct, frozen=True, array_like=True):
    """One user's call: the `k` best items but the excluded ones, which are sorted and each there once.

    Its bytes are canonical: who asks for the same sends the same, so they serve as a key. The runner answers with
    a finished JSON object: `{"user_id", "items": [{"item_id", "score", "title"?}], "cold_start"}`, scores falling.
    """

    user_id: Id
    k: Count
    exclude: Excluded


_encode: Any = msgspec.msgpack.Encoder().encode
encode_row = _encode
decode_row = msgspec.msgpack.Decoder(RankingRow).decode


def encode_rows(user_ids: list[int], k: int, exclude: list[int]) -> list[bytes]:
    """Return the row of each user; what they have in common is encoded once, a thousand excluded items too."""
    rest = _encode(k) + _encode(exclude)
    return [_ROW_START + _encode(user_id) + rest for user_id in user_ids]
