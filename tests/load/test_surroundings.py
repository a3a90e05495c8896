"""What other processes took is what is left when all that is measured is subtracted."""

import hashlib
import os

import pytest

from tests.load.surroundings import Look, Watch, elsewhere, look

CORES = os.cpu_count() or 1


def seen(*, at: float, busy: float, own: float, stolen: float) -> Look:
    return Look(at=at, busy_s=busy, own_s=own, stolen_s=stolen)


def test_others_are_what_is_left() -> None:
    before = seen(at=100.0, busy=50.0, own=10.0, stolen=1.0)
    after = seen(at=110.0, busy=50.0 + 6.0 * CORES, own=10.0 + 4.0 * CORES, stolen=1.0 + 0.5 * CORES)

    found = elsewhere(before, after, load_average=1.25)

    assert found.others == pytest.approx(0.2)
    assert found.stolen == pytest.approx(0.05)
    assert str(found) == (
        "load average before 1.25; of the machine's CPU, other processes took 20.0%, the hypervisor 5.0%"
    )


def test_the_family_is_not_among_the_others() -> None:
    before = look()
    hashlib.pbkdf2_hmac("sha256", b"work", b"salt", 500_000)
    after = look()

    used = after.own_s - before.own_s
    assert used > 0
    assert after.busy_s - before.busy_s >= used * 0.5


def test_a_watch_tells_shares() -> None:
    found = Watch().seen()

    assert found.others >= 0
    assert found.load_average >= 0
