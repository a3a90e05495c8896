"""What a process weighs, as the kernel counts it."""

from pathlib import Path


def pss_bytes(pid: int) -> int:
    """Return a process's proportional set size: its own pages, and its share of those it shares.

    0 when the process has ended, or where the kernel does not tell.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0

    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
