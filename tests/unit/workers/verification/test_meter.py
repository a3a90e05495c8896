"""A step's memory is its own: what was taken and given back shows at its peak, what is kept at its end."""

import pytest

from workers.verification.meter import Meter, read_kib

TAKEN = 64 * 2**20


def test_each_step_is_measured_alone() -> None:
    meter = Meter()
    meter.begin("taking and giving back")
    passing = bytearray(b"x" * TAKEN)
    del passing
    meter.begin("resting")
    meter.begin("keeping")
    kept = bytearray(b"x") * TAKEN
    meter.close()

    taken, rested, keeping = (meter.uses[name] for name in ("taking and giving back", "resting", "keeping"))
    assert taken.added_at_peak > 0.9 * TAKEN
    assert taken.bytes_after - taken.bytes_before < 0.5 * TAKEN
    assert rested.added_at_peak < 0.1 * TAKEN
    assert keeping.bytes_after - keeping.bytes_before > 0.9 * len(kept)
    assert all(use.seconds > 0.0 for use in meter.uses.values())


@pytest.mark.parametrize(("field", "expected"), [("VmHWM", 2048), ("VmRSS", 1024)])
def test_fields_are_read_by_their_names(field: str, expected: int) -> None:
    assert read_kib(b"Name:\tVmRSS: 7 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n", field) == expected
