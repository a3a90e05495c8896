"""What a process weighs, as the kernel counts it."""

from dataclasses import dataclass, replace
from pathlib import Path

KIB = 1024


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """A process's memory: its fair share (PSS), and what is its alone (USS). What it shares is torch, mostly."""

    share_bytes: int = 0
    private_bytes: int = 0

    def shared_anew(self, *, before: int, now: int) -> "Footprint":
        """Return the footprint once `now` processes instead of `before` share what it shares."""
        shared_bytes = (self.share_bytes - self.private_bytes) * before // now
        return replace(self, share_bytes=self.private_bytes + shared_bytes)


NO_FOOTPRINT = Footprint()


def measure(pid: int) -> Footprint:
    """Return what a process holds; nothing when it has ended, or where the kernel does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return NO_FOOTPRINT

    fields = {name: int(rest.split()[0]) * KIB for name, _, rest in (line.partition(":") for line in lines[1:])}
    private_bytes = fields.get("Private_Clean", 0) + fields.get("Private_Dirty", 0)
    return Footprint(share_bytes=fields.get("Pss", 0), private_bytes=private_bytes)


def pss_bytes(pid: int) -> int:
    """Return a process's proportional set size: its own pages, and its share of those it shares."""
    return measure(pid).share_bytes
