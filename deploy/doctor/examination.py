"""All checks in the order in which they are told."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from deploy.doctor.case import Case
from deploy.doctor.checks import (
    clock,
    database,
    disks,
    edge,
    exposure,
    folders,
    kernel,
    redis_servers,
    secrets,
    software,
    stores,
    verification,
    web,
)
from deploy.doctor.finding import Finding, error

AS_THE_PARTS: Final = "Run the doctor as the user of the parts, or give it the right."
Check = Callable[[Case], Iterator[Finding]]

SOFTWARE: Final = (software.python, software.torch, software.packages)
"""Those that look at no settings, and are told even where these cannot be read."""

CHECKS: Final[tuple[Check, ...]] = (
    exposure.environment,
    exposure.tls,
    exposure.cors,
    exposure.wires,
    edge.edge,
    secrets.secrets,
    secrets.first_admin,
    folders.var_dir,
    folders.run_dir,
    folders.syncing,
    disks.room,
    disks.job_room,
    folders.temporary,
    folders.shared_memory,
    folders.file_clock,
    redis_servers.redis_servers,
    database.database,
    stores.store,
    stores.job_files,
    web.port,
    verification.walls,
    kernel.descriptors,
    kernel.backlog,
    kernel.cores,
    kernel.memory,
    kernel.verification_memory,
    kernel.autogroup,
    kernel.overcommit,
    kernel.huge_pages,
    kernel.swap,
    kernel.clock_source,
    clock.clock,
)


def examine_software() -> list[Finding]:
    """Look at what is installed."""
    return [finding for check in SOFTWARE for finding in _look(check.__name__, check)]


def examine(case: Case) -> list[Finding]:
    """Look at everything else."""
    return [finding for check in CHECKS for finding in _look(check.__name__, partial(check, case))]


def _look(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what a check finds; that it cannot find out is a finding, too, and keeps no other check from looking."""
    name = name.replace("_", " ")
    try:
        yield from check()
    except PermissionError as err:
        yield error(name, f"{err.filename} is closed to this user.", AS_THE_PARTS)
    except Exception as err:  # noqa: BLE001 - the other checks still look
        yield error(name, f"It cannot be looked at: {type(err).__name__}: {err}.", "Mend what it names.")
