"""What the process that opens a foreign artifact gives up first: files, network, rights, and most of the machine.

Linux. Walls stand behind each other, since not every machine has all of them; limits and `no_new_privs` are everywhere.
"""

import ctypes
import logging
import os
import resource
import signal
import sys
from pathlib import Path

import app
import model_store
import workers
from app.infra.parent_death import end_with_parent
from workers.verification.landlock import allow_reading_only
from workers.verification.meter import read_kib
from workers.verification.report import Order

logger = logging.getLogger(__name__)

# Owns no file and no other process that matters: the "nobody" of Linux's overflow ids.
NOBODY = 65534
MOST_FILES = 64

_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x20080522
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
# What torch still opens after its import: sources of Python modules, libraries of its own, and what tells the kind of
# processor.
_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/dev/urandom")
_PROCESSOR = ("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu")

_libc = ctypes.CDLL(None, use_errno=True)


def confine(order: Order) -> None:
    """Give up what a model does not need. The working directory becomes the folder of the artifact."""
    # Its parents may be closed to whom the process is then; the folder itself is reached from inside.
    os.chdir(order.folder)
    leave_network()
    _limit(order)
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Under Landlock a root process stays root: Python itself may lie where only root reads.
    if not allow_reading_only(_readable()):
        become_nobody()
    _drop_capabilities()
    # The wish to end with the parent is dropped with the rights.
    end_with_parent(order.parent_pid, signal.SIGKILL)


def leave_network() -> bool:
    """Go where no network is: as root directly, else by way of a namespace of users; return whether that went."""
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET
    has_left = bool(_libc.unshare(flags) == 0)
    if not has_left:
        logger.info("the network stays: %s", os.strerror(ctypes.get_errno()))
    return has_left


def become_nobody() -> None:
    """Stop being root, so that the modes of files say what may be read."""
    if os.geteuid() != 0:
        return

    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def _drop_capabilities() -> None:
    """Give up root's powers over limits, namespaces and other users; who has none loses nothing."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _call("capset", header, (ctypes.c_uint32 * 6)())


def _readable() -> list[Path]:
    packages = [Path(package.__path__[0]) for package in (app, model_store, workers)]
    python = [Path(sys.prefix), Path(sys.base_prefix, "lib")]
    return [Path.cwd(), *packages, *python, *map(Path, _LIBRARIES), *map(Path, _PROCESSOR)]


def _limit(order: Order) -> None:
    cpu_s = int(time_used_s() + order.cpu_s) + 1
    born_bytes = read_kib(Path(f"/proc/{os.getpid()}/status").read_bytes(), "VmSize") * 1024
    for kind, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, MOST_FILES),
        (resource.RLIMIT_AS, born_bytes + order.memory_bytes),
    ):
        resource.setrlimit(kind, (limit, limit))
    # The soft limit ends the process by SIGXCPU, which tells what happened; the hard one by SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))


def time_used_s() -> float:
    """Return the processor seconds that this process has used."""
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
