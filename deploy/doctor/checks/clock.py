"""The machine's clock: set by others, as those of all machines that work together must be."""

from collections.abc import Iterator

from deploy.doctor.case import Case
from deploy.doctor.finding import Finding, good, warning
from deploy.doctor.kernel_clock import is_synchronised


def clock(_case: Case) -> Iterator[Finding]:
    """Whether the clock is synchronised."""
    is_set = is_synchronised()
    if is_set is None:
        yield good("clock", "The kernel does not tell this process whether its clock is synchronised.")
    elif is_set:
        yield good("clock", "The kernel's clock is synchronised.")
    else:
        yield warning(
            "clock",
            "The kernel's clock is not synchronised: tokens, leases and files end sooner or later than they say.",
            "Run chrony or systemd-timesyncd; `timedatectl` says how it stands.",
        )
