"""Times go in aware and come back aware, in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, MetaData, Table, create_engine, insert, select

from app.db.base import UtcDateTime

MOMENTS = Table("moments", MetaData(), Column("at", UtcDateTime))


def store(moment: datetime | None) -> datetime | None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        MOMENTS.create(connection)
        connection.execute(insert(MOMENTS).values(at=moment))
        read = connection.scalar(select(MOMENTS.c.at))
    engine.dispose()
    return read


def test_a_time_of_another_zone_comes_back_in_utc() -> None:
    noon = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))

    read = store(noon)

    assert read == noon
    assert read is not None
    assert read.tzinfo is UTC


def test_no_time_stays_no_time() -> None:
    assert store(None) is None


def test_naive_times_are_refused() -> None:
    with pytest.raises(Exception, match="no time zone"):
        store(datetime(2026, 5, 4, 12))
