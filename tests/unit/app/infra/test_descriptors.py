"""A process takes the descriptors that it may have."""

import subprocess
import sys

import pytest

ASK = """
import resource, sys
from app.infra.descriptors import allow_descriptors
soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(allow_descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(("soft", "hard", "allowed"), [(64, 128, 128), (128, 128, 128)])
def test_the_hard_limit_is_taken(soft: int, hard: int, allowed: int) -> None:
    """In a process of its own: what is given up does not come back."""
    command = [sys.executable, "-c", ASK, str(soft), str(hard)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert said.split() == [str(allowed)] * 2
