"""Shares of fraud by merchant: what counts for whom, and what is no such file."""

import msgspec
import pytest

from app.scenarios.fraud_risk import MerchantRisk, decode_risk, encode_risk

RISK = MerchantRisk(usual=0.01, merchants={"m-1": 0.5})


def test_a_merchant_has_its_own_share_or_the_usual_one() -> None:
    assert (RISK.of("m-1"), RISK.of("stranger")) == (0.5, 0.01)


def test_it_comes_back() -> None:
    assert decode_risk(encode_risk(RISK)) == RISK


@pytest.mark.parametrize(
    "data", [b"{}", b'{"usual":2,"merchants":{}}', b'{"usual":0,"merchants":{"m":-1}}', b'{"usual":0,"merchants":[]}']
)
def test_what_holds_no_shares_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_risk(data)
