"""Outcomes of routed requests, as callers report them."""

from datetime import datetime

from sqlalchemy import Double, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class OutcomeRow(Base):
    """What came of one request or one subject: a metric's value, and the variant that it counts for.

    `unit` is `request:ID` or `subject:NAME`. The same unit's later value of a metric replaces the earlier one.
    """

    __tablename__ = "outcomes"
    __table_args__ = (
        UniqueConstraint("model_name", "revision", "metric", "unit"),
        Index("ix_outcomes_recorded_at", "recorded_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    model_name: Mapped[str] = mapped_column(String(128))
    revision: Mapped[int]
    variant: Mapped[str] = mapped_column(String(64))
    metric: Mapped[str] = mapped_column(String(64))
    unit: Mapped[str] = mapped_column(String(160))
    value: Mapped[float] = mapped_column(Double)
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(String(64))
