"""Features of many payments at once: the same code that serves, account by account, and merchant risk as it was known.

Merchant risk says what was known then, as the asset of a version does: labels come `DELAY_DAYS` late, and a version
stays for a while. So payments are cut into blocks as long as the test slice, and each block knows of merchants what a
version would that was made at its beginning.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.errors import InputError
from app.scenarios.fraud_features import FEATURES, MERCHANT_RISK, advance
from app.scenarios.fraud_risk import MerchantRisk
from app.scenarios.fraud_state import AccountState
from workers.training.fraud_payments import DAY_MS, Payments

Matrix = NDArray[np.float32]

COLUMNS = (*FEATURES, MERCHANT_RISK)
DELAY_DAYS = 7
# How far back labels say something of a merchant: fraud there ends some day.
RISK_DAYS = 28
TEST_SHARE = 1 / 7
VALIDATION_SHARE = 1 / 7
LEAST_DAYS = 28

# As if each merchant had this many payments more, with the usual share of fraud.
_SMOOTHING = 5.0


@dataclass(frozen=True, kw_only=True)
class Split:
    """Where time is cut, in milliseconds: training, then validation, then the days that labels take, then the test."""

    start_ms: float
    validation_ms: float
    delay_ms: float
    """Where the labels end that a version knows when the test begins."""
    test_ms: float
    end_ms: float

    @classmethod
    def of(cls, payments: Payments) -> Self:
        """Cut payments.

        :raises InputError: when they are of too few days, or a slice has not both fraud and none.
        """
        start_ms, end_ms = float(payments.times_ms[0]), float(payments.times_ms[-1]) + 1
        span_ms = end_ms - start_ms
        if span_ms < LEAST_DAYS * DAY_MS:
            raise InputError(f"The payments are of {span_ms / DAY_MS:.1f} days; at least {LEAST_DAYS} are needed.")

        test_ms = end_ms - TEST_SHARE * span_ms
        delay_ms = test_ms - DELAY_DAYS * DAY_MS
        split = cls(
            start_ms=start_ms,
            validation_ms=delay_ms - VALIDATION_SHARE * span_ms,
            delay_ms=delay_ms,
            test_ms=test_ms,
            end_ms=end_ms,
        )
        for name, rows in split.slices(payments).items():
            if len(set(payments.is_fraud[rows].tolist())) < 2:
                raise InputError(f"The payments of the {name} slice are all fraud, or none is; both are needed.")
        return split

    def slices(self, payments: Payments) -> dict[str, slice]:
        """Return where the payments of each slice stand; nobody learns from those of the days in between."""
        return {
            "training": payments.between(self.start_ms, self.validation_ms),
            "validation": payments.between(self.validation_ms, self.delay_ms),
            "test": payments.between(self.test_ms, self.end_ms),
        }


def featurize(payments: Payments) -> Matrix:
    """Return the features that the server would give each payment, [payments, features]; there is no merchant risk."""
    states: dict[str, AccountState] = defaultdict(AccountState)
    rows = np.empty((len(payments), len(FEATURES)), np.float32)
    for row, event in enumerate(payments.events()):
        rows[row] = advance(states[event.account_id], event)
    return rows


def fit_risk(payments: Payments, until_ms: float) -> MerchantRisk:
    """Return the share of fraud at each merchant, by the labels of the last `RISK_DAYS` before a time."""
    known = payments.taken(payments.between(until_ms - RISK_DAYS * DAY_MS, until_ms))
    usual = (float(known.is_fraud.sum()) + 1) / (len(known) + 100)
    counts = np.bincount(known.merchants, minlength=len(payments.merchant_ids))
    frauds = np.bincount(known.merchants[known.is_fraud], minlength=len(payments.merchant_ids))
    shares = (frauds + _SMOOTHING * usual) / (counts + _SMOOTHING)
    merchants = {payments.merchant_ids[place]: float(shares[place]) for place in np.flatnonzero(counts).tolist()}
    return MerchantRisk(usual=usual, merchants=merchants)


def risk_column(payments: Payments, split: Split) -> Matrix:
    """Return the risk of each payment's merchant as it was known at the beginning of its block, [payments, 1]."""
    column = np.empty((len(payments), 1), np.float32)
    length_ms = split.end_ms - split.test_ms
    start_ms = split.test_ms
    while start_ms + length_ms > split.start_ms:
        rows = payments.between(start_ms, start_ms + length_ms)
        column[rows, 0] = risk_of(payments.taken(rows), fit_risk(payments, start_ms - DELAY_DAYS * DAY_MS))
        start_ms -= length_ms
    return column


def risk_of(payments: Payments, risk: MerchantRisk) -> Matrix:
    """Return the risk of each payment's merchant."""
    by_merchant = np.array([risk.of(merchant) for merchant in payments.merchant_ids], np.float32)
    return by_merchant[payments.merchants]
