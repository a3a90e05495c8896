"""Facts of the machine and of the parts that were measured, so that a figure can be compared with another."""

import importlib.metadata
import os
import platform
import re
from pathlib import Path

from tests.load.report import Table

PARTS = ("torch", "torchvision", "pillow", "gunicorn", "gevent", "flask", "pyzmq", "redis")


def machine_facts() -> dict[str, str]:
    """Return what is worth knowing beside a figure, by name."""
    return {
        "Processor": _find(Path("/proc/cpuinfo"), r"^model name\s*:\s*(.+)$") or platform.machine(),
        "Cores": str(len(os.sched_getaffinity(0))),
        "Memory": _memory(),
        # The release up to its first dash: which build of it the host runs says nothing about a figure.
        "System": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "Parts": ", ".join(f"{part} {importlib.metadata.version(part)}" for part in PARTS),
    }


def machine_table() -> Table:
    """Return the facts as a table."""
    facts = machine_facts()
    return Table(title="The machine", columns=["", "value"], rows=[[name, value] for name, value in facts.items()])


def _memory() -> str:
    kilobytes = _find(Path("/proc/meminfo"), r"^MemTotal:\s+(\d+) kB")
    return f"{int(kilobytes) / 2**20:.1f} GiB" if kilobytes else "unknown"


def _find(path: Path, pattern: str) -> str:
    found = re.search(pattern, path.read_text("utf-8"), re.MULTILINE)
    return found[1].strip() if found else ""
