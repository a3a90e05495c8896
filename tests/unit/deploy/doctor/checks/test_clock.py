"""A clock that nobody sets is told of."""

from pathlib import Path

import pytest

from deploy.doctor.checks import clock
from tests.factories.doctor import make_case, the_one


@pytest.mark.parametrize(("is_set", "verdict"), [(True, "ok"), (None, "ok"), (False, "warning")])
def test_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_set: bool | None, verdict: str) -> None:
    monkeypatch.setattr(clock, "is_synchronised", lambda: is_set)

    assert the_one(clock.clock(make_case(tmp_path))).verdict == verdict
