"""Parameters of requests to /auth, as RFC 6749 sends them: a form or JSON, with the client's credentials in
the body or in a Basic header.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from flask import request

from app.errors import InvalidClient, InvalidTokenRequest

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


@dataclass(frozen=True)
class Credentials:
    """What a client proves itself with."""

    client_id: str
    client_secret: str


def read_parameters() -> dict[str, str]:
    """Return the body's parameters; empty ones count as left out.

    :raises InvalidTokenRequest: when the body is neither form nor JSON object, or a parameter is sent twice.
    """
    if request.mimetype == FORM:
        repeated = sorted(name for name, values in request.form.lists() if len(values) > 1)
        if repeated:
            raise InvalidTokenRequest(f"Send each parameter once; repeated: {', '.join(repeated)}.")
        return {name: value for name, value in request.form.items() if value}

    if not request.is_json:
        raise InvalidTokenRequest(f"Send the parameters as {FORM} or as {JSON}.")
    return _strings(request.get_json())


def read_required(parameters: dict[str, str], name: str) -> str:
    """Return one parameter.

    :raises InvalidTokenRequest: when it was left out.
    """
    if name not in parameters:
        raise InvalidTokenRequest(f"The parameter '{name}' is missing.")

    return parameters[name]


def read_credentials(parameters: dict[str, str]) -> Credentials | None:
    """Return the credentials of the Basic header or of the body, None when there are none.

    :raises InvalidTokenRequest: when both carry a secret, or name different clients.
    :raises InvalidClient: when they are not complete.
    """
    in_header = _basic_credentials()
    client_id, client_secret = parameters.get("client_id"), parameters.get("client_secret")
    if in_header is not None:
        if client_secret or client_id not in (None, in_header.client_id):
            raise InvalidTokenRequest("Send the client's credentials once: in the Basic header or in the body.")
        return in_header

    if client_id is None and client_secret is None:
        return None
    if client_id is None or client_secret is None:
        raise InvalidClient
    return Credentials(client_id, client_secret)


def _basic_credentials() -> Credentials | None:
    given = request.authorization
    if given is None or given.type != "basic":
        return None

    # RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
    return Credentials(unquote_plus(given.username or ""), unquote_plus(given.password or ""))


def _strings(body: object) -> dict[str, str]:
    if not isinstance(body, dict):
        raise InvalidTokenRequest("The JSON body must be an object of parameters.")

    given = {name: value for name, value in body.items() if value not in (None, "")}
    wrong = sorted(name for name, value in given.items() if not isinstance(value, str))
    if wrong:
        raise InvalidTokenRequest(f"These parameters must be strings: {', '.join(wrong)}.")
    return given
