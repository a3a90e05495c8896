"""Files of transactions: the handbook's layout, what may be missing, and the first thing that is wrong."""

from pathlib import Path

import numpy as np
import pytest

from app.errors import InputError
from tests.factories.ratings import write_lines
from tests.factories.transactions import HEADER, payments_of, write_transactions
from workers.training.fraud_files import read_payments

ROWS = payments_of((0, "7", "x", 12.5, False), (0.5, "3", "y", 0.0, True), (2, "7", "y", 99.99, False))


def line(time: str = "2018-04-01 00:00:31", customer: str = "596", amount: str = "57.16", fraud: str = "0") -> str:
    return f"0,{time},{customer},3156,{amount},31,0,{fraud}"


def test_the_layout_of_the_handbook_is_read(tmp_path: Path) -> None:
    read = read_payments(write_transactions(tmp_path / "all.csv", ROWS))

    assert list(read.events()) == list(ROWS.events())
    assert read.is_fraud.tolist() == ROWS.is_fraud.tolist()


def test_a_folder_of_files_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    write_transactions(tmp_path / "b.csv", ROWS.taken(slice(0, 1)))
    write_transactions(tmp_path / "a.csv", ROWS.taken(slice(1, 3)))
    (tmp_path / "notes.txt").write_text("nothing")

    assert list(read_payments(tmp_path).events()) == list(ROWS.events())


def test_channels_and_countries_are_read_where_there_are_some(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "x.csv",
        ["occurred_at,account_id,merchant_id,amount,is_fraud,channel,country",
         "2026-01-05T01:00:00+01:00,a,m,1,true,pos,", "2026-01-05T00:00:01,a,m,1,0.0,,DE"],
    )  # fmt: skip
    first, second = read_payments(path).events()

    assert (first.channel, first.country, second.channel, second.country) == ("pos", None, None, "DE")
    assert second.occurred_ms - first.occurred_ms == 1000
    assert read_payments(path).is_fraud.tolist() == [True, False]


def test_ids_are_texts(tmp_path: Path) -> None:
    read = read_payments(write_lines(tmp_path / "x.csv", [HEADER, line(customer="007"), line(customer="7")]))

    assert read.account_ids == ["007", "7"]
    assert read.amounts.dtype == np.float64


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (line(time="yesterday"), "the time 'yesterday' is none"),
        (line(time="1970-01-01 00:00:00"), "is before 2000"),
        (line(customer=""), "the customer '' has not 1 to 128 characters"),
        (line(customer="x" * 129), "has not 1 to 128 characters"),
        (line(amount="-1"), "the amount '-1' is no number from 0"),
        (line(amount="nan"), "the amount 'nan' is no number"),
        (line(amount="1e308"), "the amount '1e308' is no number"),
        (line(amount="much"), "the amount 'much' is no number"),
        (line(fraud="2"), "'2' is neither 0 nor 1"),
        ("1,2018-04-01 00:00:31", "there is no customer"),
    ],
)
def test_the_first_bad_line_is_named(tmp_path: Path, bad: str, complaint: str) -> None:
    path = write_lines(tmp_path / "mine.csv", [HEADER, line(), bad])

    with pytest.raises(InputError, match=rf"mine\.csv, line 3: .*{complaint}"):
        read_payments(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \.csv file"):
        read_payments(write_lines(tmp_path / "x.pkl", [HEADER]))
    with pytest.raises(InputError, match="holds no payments"):
        read_payments(write_lines(tmp_path / "x.csv", [HEADER]))
    with pytest.raises(InputError, match="no column 'tx_fraud'"):
        read_payments(write_lines(tmp_path / "y.csv", [HEADER.replace("TX_FRAUD", "X")]))
