"""A process can put itself first in the kernel's order, and goes on where it may not."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.infra.oom_order import end_before_others

TELL = """
from app.infra.oom_order import end_before_others
end_before_others()
import subprocess
print(open("/proc/self/oom_score_adj").read(), subprocess.check_output(["cat", "/proc/self/oom_score_adj"], text=True))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the order is the Linux kernel's")
def test_process_and_what_it_starts_go_first() -> None:
    output = subprocess.run([sys.executable, "-c", TELL], capture_output=True, text=True, check=True, timeout=60).stdout

    assert output.split() == ["500", "500"]


def test_process_goes_on_where_it_may_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    end_before_others(tmp_path / "no-folder" / "oom_score_adj")

    assert "not the first to go" in caplog.text
