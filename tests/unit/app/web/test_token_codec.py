"""Only tokens that this server signed, whole, are read; the library's failures look like ours."""

import base64
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from flask_jwt_extended import jwt_required
from flask_jwt_extended.exceptions import (
    FreshTokenRequired,
    NoAuthorizationError,
    RevokedTokenError,
    UserClaimsVerificationError,
    UserLookupError,
    WrongTokenError,
)

from app.errors import InvalidToken
from app.services.token_codec import Claims
from app.web.token_codec import JwtCodec
from tests.factories.settings import TEST_SECRET, make_settings
from tests.factories.tokens import make_codec
from tests.factories.web import WebWorker

CLAIMS = Claims(sub="checkout", jti="1", iat=10.25, exp=20.5, scope="infer jobs", models=("fraud*",))


@pytest.fixture
def codec(tmp_path: Path) -> JwtCodec:
    return make_codec(make_settings(tmp_path, token_lifetime_s=60))


def sign(claims: dict[str, Any], *, secret: str = TEST_SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, secret, algorithm=algorithm)


def plain_claims(**changes: Any) -> dict[str, Any]:
    claims = {"sub": "a", "jti": "1", "iat": 1, "exp": 2, "scope": "infer", "models": ["*"], **changes}
    return {name: value for name, value in claims.items() if value is not None}


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_claims_come_back_however_old(codec: JwtCodec) -> None:
    assert codec.decode(codec.encode(CLAIMS)) == CLAIMS


def test_a_clock_that_is_behind_reads_fresh_tokens(codec: JwtCodec) -> None:
    now = time.time()

    assert codec.decode(sign(plain_claims(iat=now + 30, exp=now + 90))).sub == "a"


def test_a_changed_token_is_refused(codec: JwtCodec) -> None:
    header, payload, signature = codec.encode(CLAIMS).split(".")
    forged = codec.encode(Claims(sub="admin", jti="1", iat=1, exp=2, scope="admin", models=("*",))).split(".")[1]

    with pytest.raises(InvalidToken):
        codec.decode(f"{header}.{forged}.{signature}")
    with pytest.raises(InvalidToken):
        codec.decode(f"{header}.{payload}.{signature[:-4]}")


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "ä.ö.ü", "..", "\0.\0.\0", "\ud800.a.b"])
def test_garbage_is_refused(codec: JwtCodec, token: str) -> None:
    with pytest.raises(InvalidToken):
        codec.decode(token)


@pytest.mark.parametrize("deep", ["[" * 5000, '{"a":' * 5000, "9" * 5000, '{"exp":1e999}', '"\\ud800"'])
def test_hostile_json_is_refused(codec: JwtCodec, deep: str) -> None:
    header, payload, signature = codec.encode(CLAIMS).split(".")

    for token in (f"{header}.{encoded(deep)}.{signature}", f"{encoded(deep)}.{payload}.{signature}"):
        with pytest.raises(InvalidToken):
            codec.decode(token)


def test_other_keys_and_algorithms_are_refused(codec: JwtCodec) -> None:
    tokens = [
        sign(plain_claims(), secret="another secret of thirty-two bytes or more"),
        sign(plain_claims(), secret=TEST_SECRET * 2, algorithm="HS512"),
        sign(plain_claims(), secret="", algorithm="none"),
    ]

    for token in tokens:
        with pytest.raises(InvalidToken):
            codec.decode(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": None}, {"jti": None}, {"exp": None}, {"iat": None}, {"scope": None}, {"models": None},
        {"sub": 7}, {"exp": "soon"}, {"models": "*"}, {"scope": ["infer"]},
    ],
)  # fmt: skip
def test_signed_tokens_with_wrong_claims_are_refused(codec: JwtCodec, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        codec.decode(sign(plain_claims(**changes)))


def test_without_an_app_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="init_app"):
        JwtCodec(make_settings(tmp_path)).encode(CLAIMS)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoAuthorizationError("x"), "token_missing"),
        (jwt.DecodeError("x"), "token_invalid"),
        (WrongTokenError("x"), "token_invalid"),
        (RevokedTokenError({}, {}), "token_revoked"),
        (FreshTokenRequired("x", {}, {}), "token_invalid"),
        (UserClaimsVerificationError("x", {}, {}), "token_invalid"),
        (UserLookupError("x", {}, {}), "token_invalid"),
    ],
)
def test_the_librarys_failures_are_problems(
    worker: WebWorker, client: FlaskClient, error: Exception, code: str
) -> None:
    def failing_view() -> str:
        raise error

    worker.app.add_url_rule("/fail", view_func=failing_view)
    answer = client.get("/fail")

    assert (answer.status_code, answer.content_type, answer.json["code"]) == (401, "application/problem+json", code)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_librarys_own_decorator_refuses_in_our_shape(worker: WebWorker, client: FlaskClient) -> None:
    worker.app.add_url_rule("/theirs", "theirs", jwt_required()(lambda: "seen"))

    assert client.get("/theirs").json["code"] == "token_missing"
    assert client.get("/theirs", headers={"Authorization": "Bearer a.b.c"}).json["code"] == "token_invalid"
    old = {"Authorization": f"Bearer {sign(plain_claims())}"}
    assert client.get("/theirs", headers=old).json["code"] == "token_expired"
    assert client.get("/theirs", headers=worker.bearer()).status_code == 200
