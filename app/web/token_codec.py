"""Access tokens on the wire: JSON Web Tokens signed with HS256, through flask-jwt-extended."""

from datetime import timedelta
from typing import Final

import msgspec
from flask import Flask, Response
from flask_jwt_extended import JWTManager, create_access_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import PyJWTError

from app.errors import AccessError, ExpiredToken, InvalidToken, MissingToken, RevokedToken
from app.services.token_codec import Claims
from app.settings import Settings
from app.web.error_handlers import problem_of

ALGORITHM: Final = "HS256"

# The last two are no failures of the library's own: it parses any header and payload before it checks the signature.
_UNREADABLE = (PyJWTError, JWTExtendedException, msgspec.ValidationError, UnicodeError, RecursionError)


class JwtCodec:
    """Signs claims and reads signed ones back, once `init_app` has given it an app.

    It works inside and outside of requests: it enters its app's context itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._config = {
            "JWT_ALGORITHM": ALGORITHM,
            "JWT_SECRET_KEY": settings.jwt_secret,
            "JWT_TOKEN_LOCATION": ["headers"],
            "JWT_COOKIE_CSRF_PROTECT": False,
            # TokenService checks time, each time a token is used and against its own clock. The library looks
            # at `iat` all the same: clocks of two machines may differ, and a fresh token is good on both.
            "JWT_DECODE_LEEWAY": timedelta(seconds=settings.token_lifetime_s),
        }
        self._app: Flask | None = None

    def init_app(self, app: Flask) -> None:
        """Set flask-jwt-extended up in `app`, with Galley's answers for its failures."""
        app.config |= self._config
        manager = JWTManager(app)
        _answer_with_problems(manager)
        self._app = app

    def encode(self, claims: Claims) -> str:
        """Sign `claims`."""
        with self._attached().app_context():
            additional = msgspec.to_builtins(claims)
            token: str = create_access_token(claims.sub, expires_delta=False, additional_claims=additional)
            return token

    def decode(self, token: str) -> Claims:
        """Read the claims of a token that this server signed, be it expired or not.

        :raises InvalidToken: for anything else.
        """
        try:
            with self._attached().app_context():
                payload = decode_token(token, allow_expired=True)
            return msgspec.convert(payload, Claims)
        except _UNREADABLE as err:
            raise InvalidToken from err

    def _attached(self) -> Flask:
        if self._app is None:
            raise RuntimeError("The codec has no app yet; call init_app() first.")

        return self._app


def _answer_with_problems(manager: JWTManager) -> None:
    """Replace each of the library's answers: they are 401 or 422 in a shape of their own."""
    manager.unauthorized_loader(lambda _reason: _problem(MissingToken()))
    manager.invalid_token_loader(lambda _reason: _problem(InvalidToken()))
    manager.expired_token_loader(lambda _header, _payload: _problem(ExpiredToken()))
    manager.revoked_token_loader(lambda _header, _payload: _problem(RevokedToken()))
    manager.needs_fresh_token_loader(lambda _header, _payload: _problem(InvalidToken()))
    manager.token_verification_failed_loader(lambda _header, _payload: _problem(InvalidToken()))
    manager.user_lookup_error_loader(lambda _header, _payload: _problem(InvalidToken()))


def _problem(error: AccessError) -> Response:
    return problem_of(error).response()
