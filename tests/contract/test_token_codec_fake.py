"""The fake codec keeps what the real one promises, but for the signature."""

from pathlib import Path

import pytest

from app.errors import InvalidToken
from app.services.token_codec import Claims, TokenCodec
from tests.factories.settings import make_settings
from tests.factories.tokens import make_codec
from tests.fakes.token_codec import FakeTokenCodec


@pytest.fixture(params=["fake", "real"])
def codec(request: pytest.FixtureRequest, tmp_path: Path) -> TokenCodec:
    return FakeTokenCodec() if request.param == "fake" else make_codec(make_settings(tmp_path))


def test_claims_come_back_whole_and_however_old(codec: TokenCodec) -> None:
    claims = Claims(sub="checkout", jti="1", iat=10.25, exp=20.5, scope="infer jobs", models=("fraud*", "ünïcode"))

    assert codec.decode(codec.encode(claims)) == claims


@pytest.mark.parametrize("garbage", ["", "x.y.z", "{}", "null", "\0"])
def test_anything_else_is_invalid(codec: TokenCodec, garbage: str) -> None:
    with pytest.raises(InvalidToken):
        codec.decode(garbage)
