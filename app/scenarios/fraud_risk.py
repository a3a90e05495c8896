"""How often payments at a merchant turned out to be fraud: an asset of the version, the same for all accounts."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]


class MerchantRisk(Struct, frozen=True):
    """The share of fraud at each merchant, and the usual one, for those that nothing is known of."""

    usual: Share
    merchants: Mapping[str, Share]

    def of(self, merchant_id: str) -> float:
        """Return the share that counts for a merchant."""
        return self.merchants.get(merchant_id, self.usual)


encode_risk: Final = msgspec.json.Encoder().encode
decode_risk: Final = msgspec.json.Decoder(MerchantRisk).decode
