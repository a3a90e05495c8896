"""That everything is back is waited for, and what is not back in time is told."""

import asyncio
from typing import Any
from unittest.mock import create_autospec

import pytest

from tests.chaos import striking
from tests.chaos.ground import Ground
from tests.chaos.journal import Journal, Struck


@pytest.mark.parametrize(("is_back", "rules"), [(True, []), (False, ["back in time"])])
def test_back_in_time(monkeypatch: pytest.MonkeyPatch, is_back: bool, rules: list[str]) -> None:
    ground: Any = create_autospec(Ground, instance=True, disk=None)
    journal = Journal()
    journal.strike(Struck(name="kill", whom="1", excuses=frozenset(), at_s=0.0))
    monkeypatch.setattr(striking, "is_back", lambda _: is_back)
    monkeypatch.setattr(striking, "LOOK_EVERY_S", 0)

    asyncio.run(striking.Striker(ground, journal, back_within_s=0.0, say=lambda _: None).wait_back())

    assert [violation.rule for violation in journal.violations] == rules
    assert journal.struck[0].back_s < float("inf")
