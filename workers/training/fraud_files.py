"""Reader of payments: CSV with a header, in the layout of the Fraud Detection Handbook's transactions.

The columns, in any order and case: TX_DATETIME (UTC, unless it names a zone), CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT and
TX_FRAUD (0 or 1); TX_CHANNEL and TX_COUNTRY if there are any. All others go unread.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.errors import InputError
from app.scenarios.fraud_events import EARLIEST, MAX_AMOUNT, MAX_ID_CHARACTERS, MAX_WORD_CHARACTERS
from workers.training.fraud_payments import Integers, Payments
from workers.training.tables import CSV_SUFFIX, BadLine, Table, open_table, quoted

_COLUMNS = {
    "time": ("tx_datetime", "occurred_at", "datetime"),
    "customer": ("customer_id", "account_id"),
    "terminal": ("terminal_id", "merchant_id"),
    "amount": ("tx_amount", "amount"),
    "fraud": ("tx_fraud", "is_fraud"),
}
_OPTIONAL = {"channel": ("tx_channel", "channel"), "country": ("tx_country", "country")}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRAUD = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


class _Line(NamedTuple):
    """One payment as a line tells it."""

    time_ms: int
    account: str
    merchant: str
    amount: float
    is_fraud: bool
    channel: str
    country: str


def read_payments(path: Path) -> Payments:
    """Read a CSV file, or all that are in a folder, such as one for each day.

    :raises InputError: naming file and line of the first thing that is wrong.
    """
    files = sorted(path.glob(f"*{CSV_SUFFIX}")) if path.is_dir() else [path]
    if any(file.suffix != CSV_SUFFIX for file in files):
        raise InputError(f"'{path.name}' is no {CSV_SUFFIX} file.")

    lines = [line for file in files for line in _lines(file)]
    if not lines:
        raise InputError(f"'{path.name}' holds no payments.")

    columns = _Line(*zip(*lines, strict=True))  # type: ignore[arg-type]
    times_ms = np.array(columns.time_ms, np.int64)
    order = np.argsort(times_ms, kind="stable")
    account_ids, accounts = _numbered(columns.account)
    merchant_ids, merchants = _numbered(columns.merchant)
    channel_names, channels = _numbered(columns.channel, nobody="")
    country_names, countries = _numbered(columns.country, nobody="")
    return Payments(
        times_ms=times_ms,
        accounts=accounts,
        merchants=merchants,
        amounts=np.array(columns.amount, np.float64),
        is_fraud=np.array(columns.is_fraud, np.bool_),
        channels=channels,
        countries=countries,
        account_ids=account_ids,
        merchant_ids=merchant_ids,
        channel_names=channel_names,
        country_names=country_names,
    ).taken(order)


def _lines(file: Path) -> Iterator[_Line]:
    with open_table(file, _COLUMNS, optional=_OPTIONAL) as table:
        for number, fields in table.numbered():
            try:
                yield _Line(
                    _time_ms(table.pick(fields, "time")),
                    _text(table, fields, "customer", MAX_ID_CHARACTERS),
                    _text(table, fields, "terminal", MAX_ID_CHARACTERS),
                    _amount(table.pick(fields, "amount")),
                    _is_fraud(table.pick(fields, "fraud")),
                    _word(table, fields, "channel"),
                    _word(table, fields, "country"),
                )
            except BadLine as err:
                raise table.refusal(number, err) from err


def _time_ms(text: str) -> int:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as err:
        raise BadLine(f"the time {quoted(text)} is none, such as 2018-04-01 00:00:31") from err

    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    if time < EARLIEST:
        raise BadLine(f"the time {quoted(text)} is before {EARLIEST:%Y}")
    return (time - _EPOCH) // timedelta(milliseconds=1)


def _text(table: Table, fields: list[str], column: str, most: int) -> str:
    text = table.pick(fields, column).strip()
    if not 1 <= len(text) <= most:
        raise BadLine(f"the {column} {quoted(text)} has not 1 to {most} characters")

    return text


def _word(table: Table, fields: list[str], column: str) -> str:
    """Return a word that may be missing; it is empty then."""
    if column not in table.places or not table.pick(fields, column).strip():
        return ""

    return _text(table, fields, column, MAX_WORD_CHARACTERS)


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= MAX_AMOUNT:
        raise BadLine(f"the amount {quoted(text)} is no number from 0 to {MAX_AMOUNT:.0f}")

    return amount


def _is_fraud(text: str) -> bool:
    key = text.strip().lower()
    if key not in _FRAUD:
        raise BadLine(f"{quoted(text)} is neither 0 nor 1, which say whether it was fraud")

    return _FRAUD[key]


def _numbered(texts: object, *, nobody: str | None = None) -> tuple[list[str], Integers]:
    """Return different texts in their order, and the place of each text among them; -1 for `nobody`."""
    names, places = np.unique(np.array(texts, dtype=object).astype(str), return_inverse=True)
    if nobody is not None and names[0] == nobody:
        return names[1:].tolist(), places - 1
    return names.tolist(), places
