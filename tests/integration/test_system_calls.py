"""What the units of systemd allow is enough: parts of the product run under the system calls that theirs may make."""

import ctypes.util
import subprocess
import sys

import pytest

from tests.factories.commands import ROOT
from tests.factories.parts import needed
from tests.factories.system_call_filter import allowed_calls

INTEGRATION = "tests/integration"
# Each part's hardest work, as tests that pass without a filter; of confinement that as which the unit's user has it.
WORK = {
    "galley-web.service": ["tests/unit/deploy/test_draining_worker.py"],
    "galley-controller.service": [f"{INTEGRATION}/test_fleet.py", "-k", "adopted or weighed"],
    "galley-celery-batch.service": [f"{INTEGRATION}/test_celery.py", "-k", "every_queue"],
    "galley-celery-upkeep.service": [
        f"{INTEGRATION}/test_confinement.py",
        f"{INTEGRATION}/test_verification.py",
        "-k",
        "confined and not no-landlock or good_model",
    ],
}


@pytest.fixture(autouse=True)
def _parts() -> None:
    needed("systemd-analyze", package="systemd")
    assert ctypes.util.find_library("seccomp"), "libseccomp is missing (Debian: apt install libseccomp2)"


@pytest.mark.parametrize("unit", WORK)
def test_no_part_may_change_the_machine(unit: str) -> None:
    assert not allowed_calls(unit) & {"mount", "reboot", "init_module", "chroot", "setuid", "ptrace"}


def test_only_what_opens_foreign_artifacts_may_shut_itself_in() -> None:
    able = [unit for unit in WORK if "landlock_restrict_self" in allowed_calls(unit)]
    assert able == ["galley-celery-upkeep.service"]


@pytest.mark.long
@pytest.mark.parametrize("unit", WORK)
def test_a_part_works_within_what_its_unit_allows(unit: str) -> None:
    tests = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not long", *WORK[unit]]
    command = [sys.executable, "-m", "tests.factories.system_call_filter", unit, *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
    assert " skipped" not in done.stdout
