"""A step's memory is its own: what was taken and given back shows at its peak, what is kept at its end."""

import subprocess
import sys

import pytest

from workers.verification.meter import read_kib

TAKEN = 64 * 2**20


# In a process of its own: in this one, what other tests left may be given back at any moment.
STEPS = f"""
from workers.verification.meter import Meter

meter = Meter()
meter.begin("taking and giving back")
passing = bytearray(b"x" * {TAKEN})
del passing
meter.begin("resting")
meter.begin("keeping")
kept = bytearray(b"x") * {TAKEN}
meter.close()
for name, use in meter.uses.items():
    print(name, use.added_at_peak, use.bytes_after - use.bytes_before, use.seconds > 0, sep=",")
"""


def test_each_step_is_measured_alone() -> None:
    told = subprocess.run([sys.executable, "-c", STEPS], check=True, capture_output=True, text=True).stdout
    steps = {name: fields for name, *fields in (line.split(",") for line in told.splitlines())}

    taken, rested, keeping = (steps[name] for name in ("taking and giving back", "resting", "keeping"))
    assert int(taken[0]) > 0.9 * TAKEN
    assert int(taken[1]) < 0.5 * TAKEN
    assert int(rested[0]) < 0.1 * TAKEN
    assert int(keeping[1]) > 0.9 * TAKEN
    assert {has_lasted for _, _, has_lasted in steps.values()} == {"True"}


@pytest.mark.parametrize(("field", "expected"), [("VmHWM", 2048), ("VmRSS", 1024)])
def test_fields_are_read_by_their_names(field: str, expected: int) -> None:
    assert read_kib(b"Name:\tVmRSS: 7 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n", field) == expected
