"""A codec whose tokens are plain text: for tests of what is decided by their claims."""

import msgspec

from app.errors import InvalidToken
from app.services.token_codec import Claims


class FakeTokenCodec:
    """Writes claims as JSON. Nothing is signed: never let it near a server."""

    def encode(self, claims: Claims) -> str:
        """Write `claims`."""
        return msgspec.json.encode(claims).decode()

    def decode(self, token: str) -> Claims:
        """Read what `encode` wrote.

        :raises InvalidToken: for anything else.
        """
        try:
            return msgspec.json.decode(token, type=Claims)
        except msgspec.MsgspecError as err:
            raise InvalidToken from err
