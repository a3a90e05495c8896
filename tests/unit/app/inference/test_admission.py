"""Places in a web worker: bounded, shared, and refused with the truth about why and for how long."""

import pytest

from app.errors import QueueFull, ShareExceeded, UnavailableError
from app.inference.admission import Admission
from app.inference.turns import Turns
from app.infra.metrics import REFUSED


class Line(Turns):
    """Turns with as many in the line as the test says, at 10 ms each; all of them come first, unless it says less."""

    length = 0
    ahead = 1000

    def __len__(self) -> int:
        return self.length

    @property
    def wait_s(self) -> float:
        return self.length * 0.01

    def wait_s_of(self, client_id: str) -> float:
        return min(self.length, self.ahead) * 0.01


def make_admission(*, limit: int = 4, longest_wait_s: float = 0.02) -> Admission:
    return Admission(limit=limit, longest_wait_s=longest_wait_s, turns=Line())


def fill(admission: Admission, **held: int) -> None:
    """Enter for these clients, so many times each."""
    for client_id, times in held.items():
        for _ in range(times):
            admission.enter(client_id, 10.0)


def refusal(admission: Admission, client_id: str, now: float = 10.0) -> UnavailableError:
    with pytest.raises((QueueFull, ShareExceeded)) as caught:
        admission.enter(client_id, now)
    return caught.value


def test_a_client_alone_may_have_all_places() -> None:
    admission = make_admission()
    fill(admission, flood=4)

    assert refusal(admission, "flood").code == "queue_full"
    assert admission.in_service == 4


def test_a_flood_keeps_nobody_out_and_is_told_that_it_is_its_own_doing() -> None:
    admission = make_admission()
    fill(admission, flood=4, polite=2)

    assert refusal(admission, "flood").code == "share_exceeded"
    assert refusal(admission, "polite").code == "share_exceeded"
    fill(admission, third=1)
    assert admission.in_service == 7


def test_many_clients_with_little_are_bounded_too() -> None:
    admission = make_admission()
    fill(admission, **{f"client-{number}": 1 for number in range(8)})

    assert refusal(admission, "another").code == "queue_full"


def test_places_come_back() -> None:
    admission = make_admission()
    fill(admission, flood=4)
    admission.leave("flood", 10.5)

    fill(admission, flood=1)
    for _ in range(4):
        admission.leave("flood", 11.0)
    assert admission.in_service == 0
    fill(admission, other=4)


def test_a_hub_that_is_behind_takes_only_who_has_little() -> None:
    admission = make_admission(limit=100, longest_wait_s=0.1)
    fill(admission, flood=9, polite=1)
    admission.turns.length = 10  # type: ignore[attr-defined]

    assert refusal(admission, "flood").code == "share_exceeded"
    fill(admission, polite=4, newcomer=1)
    admission.turns.length = 20  # type: ignore[attr-defined]
    assert refusal(admission, "another").code == "queue_full"
    admission.turns.length = 9  # type: ignore[attr-defined]
    fill(admission, flood=50)


def test_a_newcomer_is_kept_out_by_its_own_wait_and_not_by_the_floods() -> None:
    """One stall of the machine makes all of the line seem long; it stands behind one turn of each other client."""
    admission = make_admission(limit=100, longest_wait_s=0.1)
    fill(admission, flood=40, polite=1)
    admission.turns.length, admission.turns.ahead = 400, 3  # type: ignore[attr-defined]

    fill(admission, polite=1, newcomer=1)
    admission.enter("hasty", 10.0, left_s=0.04)
    assert refusal(admission, "flood").code == "share_exceeded"
    admission.turns.ahead = 20  # type: ignore[attr-defined]
    assert refusal(admission, "another").code == "queue_full"


def test_a_deadline_that_the_line_would_outlast_is_refused_with_the_time_it_lacks() -> None:
    admission = make_admission(limit=100, longest_wait_s=1.0)
    admission.turns.length = 50  # type: ignore[attr-defined]

    with pytest.raises(QueueFull) as refused:
        admission.enter("hasty", 10.0, left_s=0.3)
    assert refused.value.retry_after_s == pytest.approx(0.2)
    assert admission.in_service == 0
    admission.enter("patient", 10.0, left_s=0.6)


def test_refusals_are_counted_by_place_and_code() -> None:
    counted = REFUSED.labels(place="worker", code="queue_full")._value
    before = counted.get()
    admission = make_admission(limit=1)
    fill(admission, flood=1)
    refusal(admission, "flood")

    assert counted.get() == before + 1


def test_when_to_come_back_is_what_places_take_to_come_free() -> None:
    admission = make_admission(limit=2)
    now = 1000.0
    admission.enter("flood", now)
    for _ in range(200):
        admission.enter("flood", now)
        now += 2.0
        admission.leave("flood", now)
    admission.enter("flood", now)

    assert refusal(admission, "flood", now).retry_after_s == pytest.approx(2.0, rel=0.01)
    assert refusal(admission, "flood", now + 60.0).retry_after_s == pytest.approx(60.0)


def test_idleness_says_nothing_about_service() -> None:
    admission = make_admission(limit=1)
    for now in (10.0, 5000.0, 90_000.0):
        admission.enter("flood", now)
        admission.leave("flood", now + 0.01)
    admission.enter("flood", 100_000.0)

    assert refusal(admission, "flood", 100_000.0).retry_after_s == 0.1
