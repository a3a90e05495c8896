"""Access tokens on the wire: JSON Web Tokens signed with HS256."""

import jwt
import msgspec
from jwt.types import Options

from app.errors import InvalidToken

_ALGORITHM = "HS256"
# Time is checked by TokenService, each time a token is used and against its own clock.
_OPTIONS: Options = {"require": ["exp", "iat", "sub", "jti"], "verify_exp": False, "verify_iat": False}


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says, by the claim names of RFC 7519 and RFC 9068, and `models`: globs of allowed model names."""

    sub: str
    jti: str
    iat: float
    exp: float
    scope: str
    models: tuple[str, ...]


class TokenCodec:
    """Signs claims and reads signed ones back."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def encode(self, claims: Claims) -> str:
        """Sign `claims`."""
        return jwt.encode(msgspec.to_builtins(claims), self._secret, algorithm=_ALGORITHM)

    def decode(self, token: str) -> Claims:
        """Read the claims of a token that this server signed, be it expired or not.

        :raises InvalidToken: for anything else.
        """
        try:
            payload = jwt.decode(token, self._secret, algorithms=[_ALGORITHM], options=_OPTIONS)
            return msgspec.convert(payload, Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError) as err:
            raise InvalidToken from err
