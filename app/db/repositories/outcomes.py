"""Outcomes of experiments: written in one statement, read as sums that SQL makes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import String, cast, delete, exists, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.db.session import READS_MUCH
from app.db.tables.experiments import OutcomeRow
from app.db.tables.models import RouteRow

_TABLE = OutcomeRow.metadata.tables[OutcomeRow.__tablename__]
_UNIT = ("model_name", "revision", "metric", "unit")


@dataclass(frozen=True, kw_only=True)
class OutcomeFacts:
    """A metric's value of one unit (`request:ID` or `subject:NAME`), and the variant that it counts for."""

    model_name: str
    revision: int
    variant: str
    metric: str
    unit: str
    value: float
    recorded_at: datetime
    recorded_by: str

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What there is one value of."""
        return self.model_name, self.revision, self.metric, self.unit


@dataclass(frozen=True, kw_only=True)
class OutcomeSums:
    """A variant's values of one metric: how many, their mean, and the sum of squared deviations from it."""

    variant: str
    metric: str
    count: int
    mean: float
    squares: float


class OutcomeRepository:
    """Reads and writes outcomes within the session it is given."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, outcomes: Iterable[OutcomeFacts]) -> None:
        """Write outcomes, each in one statement: a unit's later value of a metric takes the place of the earlier one.

        As one statement with many rows, a thousand took SQLAlchemy 150 ms to write down.
        """
        # In one order, or two writers could wait for each other.
        rows = [_values(facts) for facts in sorted(outcomes, key=lambda facts: facts.key)]
        is_sqlite = self._session.get_bind().dialect.name == "sqlite"
        statement = sqlite.insert(_TABLE) if is_sqlite else postgresql.insert(_TABLE)
        changed = ("variant", "value", "recorded_at", "recorded_by")
        upsert = statement.on_conflict_do_update(
            index_elements=_UNIT, set_={name: statement.excluded[name] for name in changed}
        )
        self._session.connection().execute(upsert, rows)

    def sums(self, model_name: str, revision: int) -> list[OutcomeSums]:
        """Return the sums of each metric and variant of a revision.

        Deviations are taken from the mean, which is found first: a sum of squares would lose all its digits to
        values that lie far from zero and close together.
        """
        row = OutcomeRow
        of_revision = (row.model_name == model_name, row.revision == revision)
        groups = (
            select(row.metric, row.variant, func.count().label("count"), func.avg(row.value).label("mean"))
            .where(*of_revision)
            .group_by(row.metric, row.variant)
            .subquery()
        )
        away = row.value - groups.c.mean
        query = (
            select(groups.c.metric, groups.c.variant, groups.c.count, groups.c.mean, func.sum(away * away))
            .join(groups, (row.metric == groups.c.metric) & (row.variant == groups.c.variant))
            .where(*of_revision)
            .group_by(groups.c.metric, groups.c.variant, groups.c.count, groups.c.mean)
            .order_by(groups.c.metric, groups.c.variant)
        )
        return [
            OutcomeSums(metric=metric, variant=variant, count=count, mean=mean, squares=squares)
            for metric, variant, count, mean, squares in self._session.execute(query, execution_options=READS_MUCH)
        ]

    def purge(self, before: datetime, *, limit: int) -> int:
        """Delete up to `limit` outcomes recorded before then, of revisions that no route has any more; say how many."""
        is_current = exists().where(
            RouteRow.model_name == OutcomeRow.model_name,
            RouteRow.revision == OutcomeRow.revision,
            # A deleted route leaves its revision behind, and nothing else.
            cast(RouteRow.document, String) != "{}",
        )
        old = select(OutcomeRow.id).where(OutcomeRow.recorded_at < before, ~is_current).limit(limit)
        gone = delete(OutcomeRow).where(OutcomeRow.id.in_(old)).returning(OutcomeRow.id)
        return len(self._session.scalars(gone).all())


def _values(facts: OutcomeFacts) -> dict[str, Any]:
    return {
        "model_name": facts.model_name,
        "revision": facts.revision,
        "variant": facts.variant,
        "metric": facts.metric,
        "unit": facts.unit,
        "value": facts.value,
        "recorded_at": facts.recorded_at,
        "recorded_by": facts.recorded_by,
    }
