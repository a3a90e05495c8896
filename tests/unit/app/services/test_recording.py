"""What is done is recorded, though SQL does not answer at once."""

import pytest

from app.errors import DatabaseUnavailable
from app.services import recording
from app.services.recording import recorded


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "PAUSES_S", (0.0, 0.0))


class Sql:
    """Answers after so many calls in vain."""

    def __init__(self, outages: int) -> None:
        self.outages = outages
        self.calls = 0

    def record(self) -> str:
        self.calls += 1
        if self.calls <= self.outages:
            raise DatabaseUnavailable("away")
        return "recorded"


@pytest.mark.parametrize("outages", [0, 1, 2])
def test_short_outage_is_waited_for(outages: int) -> None:
    sql = Sql(outages)

    assert recorded(sql.record, what="it") == "recorded"
    assert sql.calls == outages + 1


def test_long_outage_is_told() -> None:
    sql = Sql(outages=99)
    with pytest.raises(DatabaseUnavailable):
        recorded(sql.record, what="it")

    assert sql.calls == 3
