"""Payments with labels, as the trainer of the fraud model takes them, and in the files that people have them in."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tests.factories.ratings import write_lines
from workers.training.fraud_payments import DAY_MS, Payments
from workers.training.fraud_simulation import World

HEADER = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD"
TINY_WORLD = World(customers=60, terminals=120, days=56, radius=15.0, terminals_a_day=0.2, customers_a_day=0.4)
START_MS = 1_767_571_200_000


def payments_of(*rows: tuple[float, str, str, float, bool]) -> Payments:
    """Return payments of (day, account, merchant, amount, whether it was fraud), in the order of their times."""
    days, accounts, merchants, amounts, frauds = zip(*rows, strict=True)
    account_ids, places = np.unique(np.array(accounts), return_inverse=True)
    merchant_ids, where = np.unique(np.array(merchants), return_inverse=True)
    return Payments(
        times_ms=START_MS + (np.array(days) * DAY_MS).astype(np.int64),
        accounts=places,
        merchants=where,
        amounts=np.array(amounts, np.float64),
        is_fraud=np.array(frauds, np.bool_),
        channels=np.full(len(rows), -1),
        countries=np.full(len(rows), -1),
        account_ids=account_ids.tolist(),
        merchant_ids=merchant_ids.tolist(),
    )


def write_transactions(path: Path, payments: Payments) -> Path:
    """Write payments in the handbook's layout, which has neither channels nor countries, and return the path."""
    events = zip(payments.events(), payments.is_fraud.tolist(), strict=True)
    lines = [
        f"{number},{datetime.fromtimestamp(event.occurred_ms / 1000, UTC):%Y-%m-%d %H:%M:%S.%f},{event.account_id},"
        f"{event.merchant_id},{event.amount},0,0,{int(is_fraud)}"
        for number, (event, is_fraud) in enumerate(events)
    ]
    return write_lines(path, [HEADER, *lines])
