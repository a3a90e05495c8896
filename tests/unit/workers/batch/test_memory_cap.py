"""A process that is capped fails to allocate more, and may again afterwards."""

import resource
import subprocess
import sys

from workers.batch.memory_cap import memory_cap

# In a process of its own, whose memory the other tests have not grown.
TAKE = """
import sys
from workers.batch.memory_cap import memory_cap

def can_take(size_bytes):
    try:
        return len(bytearray(size_bytes)) == size_bytes
    except MemoryError:
        return False

with memory_cap(int(sys.argv[1])):
    inside = can_take(300 << 20)
print(inside, can_take(300 << 20))
"""


def take(limit_bytes: int) -> str:
    command = [sys.executable, "-c", TAKE, str(limit_bytes)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_what_goes_over_the_cap_fails_inside_and_not_after() -> None:
    assert take(200 << 20) == "False True"


def test_what_fits_is_allocated() -> None:
    assert take(2 << 30) == "True True"


def test_zero_is_no_cap() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with memory_cap(0):
        assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_an_earlier_lower_limit_stays() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with memory_cap(2**40):
        with memory_cap(2**50):
            assert resource.getrlimit(resource.RLIMIT_DATA)[0] == 2**40
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] == 2**40
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
