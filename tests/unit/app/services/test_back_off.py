"""Pauses grow, are never quite the same, and have an end."""

import pytest

from app.errors import StoreUnreachable
from app.services.back_off import LONGEST_PAUSE_S, pause_s, stage_of


@pytest.mark.parametrize(
    ("faults", "longest_s"), [(0, 2.0), (1, 4.0), (4, 32.0), (8, LONGEST_PAUSE_S), (9**9, LONGEST_PAUSE_S)]
)
def test_pause_doubles_up_to_the_longest_with_jitter(faults: int, longest_s: float) -> None:
    pauses = {pause_s(faults) for _ in range(50)}

    assert len(pauses) > 1
    assert longest_s / 2 <= min(pauses) <= max(pauses) <= longest_s


def test_stage_is_the_same_however_the_outage_is_worded() -> None:
    assert {stage_of(StoreUnreachable(words)) for words in ("away", "gone")} == {"waits: store_unreachable"}
