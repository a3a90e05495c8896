"""Only tokens that this server signed, whole and with its algorithm, are read."""

from typing import Any

import jwt
import pytest

from app.errors import InvalidToken
from app.services.token_codec import Claims, TokenCodec

SECRET = "a secret of at least thirty-two bytes"
CLAIMS = Claims(sub="checkout", jti="1", iat=10.25, exp=20.5, scope="infer jobs", models=("fraud*",))


def sign(claims: dict[str, Any], *, secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, secret, algorithm=algorithm)


def plain_claims(**changes: Any) -> dict[str, Any]:
    claims = {"sub": "a", "jti": "1", "iat": 1, "exp": 2, "scope": "infer", "models": ["*"], **changes}
    return {name: value for name, value in claims.items() if value is not None}


def test_claims_come_back() -> None:
    codec = TokenCodec(SECRET)

    assert codec.decode(codec.encode(CLAIMS)) == CLAIMS


def test_a_changed_token_is_refused() -> None:
    codec = TokenCodec(SECRET)
    header, payload, signature = codec.encode(CLAIMS).split(".")
    forged = codec.encode(Claims(sub="admin", jti="1", iat=1, exp=2, scope="admin", models=("*",))).split(".")[1]

    with pytest.raises(InvalidToken):
        codec.decode(f"{header}.{forged}.{signature}")
    with pytest.raises(InvalidToken):
        codec.decode(f"{header}.{payload}.{signature[:-4]}")


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "ä.ö.ü", "..", "\0.\0.\0"])
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        TokenCodec(SECRET).decode(token)


def test_other_keys_and_algorithms_are_refused() -> None:
    tokens = [
        sign(plain_claims(), secret="another secret of thirty-two bytes or more"),
        sign(plain_claims(), secret=SECRET * 2, algorithm="HS512"),
        sign(plain_claims(), secret="", algorithm="none"),
    ]

    for token in tokens:
        with pytest.raises(InvalidToken):
            TokenCodec(SECRET).decode(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": None}, {"jti": None}, {"exp": None}, {"iat": None}, {"scope": None}, {"models": None},
        {"sub": 7}, {"exp": "soon"}, {"models": "*"}, {"scope": ["infer"]},
    ],
)  # fmt: skip
def test_signed_tokens_with_wrong_claims_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        TokenCodec(SECRET).decode(sign(plain_claims(**changes)))
