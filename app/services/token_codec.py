"""What an access token says, and the contract of whoever signs tokens and reads them."""

from typing import Protocol

import msgspec


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says, by the claim names of RFC 7519 and RFC 9068, and `models`: globs of allowed model names."""

    sub: str
    jti: str
    iat: float
    exp: float
    scope: str
    models: tuple[str, ...]


class TokenCodec(Protocol):
    """Signs claims and reads signed ones back. The web tier brings the real one: `app.web.token_codec`."""

    def encode(self, claims: Claims) -> str:
        """Sign `claims`."""

    def decode(self, token: str) -> Claims:
        """Read the claims of a token that this server signed, be it expired or not.

        :raises InvalidToken: for anything else.
        """
