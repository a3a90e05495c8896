"""What the open descriptors of a process are: which files, and sockets to whom.

A client's end of a Unix socket has no name of its own: the kernel tells its peer to whoever asks by netlink
(`man 7 sock_diag`).
"""

import re
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

INODE = re.compile(r"socket:\[(\d+)\]")
LISTENS, CLOSE_WAIT = "0A", "08"

# linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h
SOCK_DIAG, BY_FAMILY, DUMP, DONE, ERROR = 4, 20, 0x301, 3, 2
SHOW_NAME_AND_PEER, NAME, PEER = 0b101, 0, 2
HEAD, ASKED, TOLD, ATTRIBUTE = (struct.Struct(f"={form}") for form in ("IHHII", "BBHIIIII", "BBBBIII", "HH"))
ALL_STATES = 0xFFFFFFFF
CHUNK_BYTES = 2**20
PATIENCE_S = 5.0


def descriptors_of(pid: int, peers: dict[int, str]) -> Counter[str]:
    """Count what a process holds, by name; `peers` is what `unix_peers` told.

    :raises OSError: when it has ended.
    """
    sockets = peers | _tcp_sockets(pid)
    return Counter(_name(target, sockets) for target in _targets(pid))


def unix_peers() -> dict[int, str]:
    """Name all Unix sockets of this machine by their inodes: after their own path, or that of their peer."""
    paths, peers = dict[int, str](), dict[int, int]()
    for inode, kind, value in _asked():
        if kind == NAME:
            paths[inode] = value.rstrip(b"\0").replace(b"\0", b"@").decode(errors="replace")
        elif kind == PEER:
            (peers[inode],) = struct.unpack("=I", value)
    named = {inode: f"unix at {path}" for inode, path in paths.items()}
    return {inode: f"unix to {paths.get(peer, 'somebody')}" for inode, peer in peers.items()} | named


def _targets(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # It is closed between the listing and the look now and then.
        with suppress(FileNotFoundError):
            yield f"{link.readlink()}"


def _name(target: str, sockets: dict[int, str]) -> str:
    if found := INODE.fullmatch(target):
        return sockets.get(int(found[1]), "socket of another kind")

    # Each has a number of its own.
    return target.partition(":")[0] if target.startswith("pipe:") else target


def _tcp_sockets(pid: int) -> dict[int, str]:
    rows = [line.split() for name in ("tcp", "tcp6") for line in _lines(Path(f"/proc/{pid}/net/{name}"))]
    listening = {_port(row[1]) for row in rows if row[3] == LISTENS}
    return {int(row[9]): _tcp_name(row, listening) for row in rows}


def _lines(path: Path) -> list[str]:
    # Where there is no IPv6 there is no such file.
    return path.read_text("ascii").splitlines()[1:] if path.exists() else []


def _tcp_name(row: list[str], listening: set[int]) -> str:
    near, far, state = _port(row[1]), _port(row[2]), row[3]
    if state == LISTENS:
        return f"tcp, listening at {near}"

    name = f"tcp, accepted at {near}" if near in listening else f"tcp to {far}"
    return f"{name}, closed by the other end" if state == CLOSE_WAIT else name


def _port(place: str) -> int:
    return int(place.rpartition(":")[2], 16)


def _asked() -> Iterator[tuple[int, int, bytes]]:
    """Ask the kernel for all Unix sockets; yield an inode, the number of an attribute, and its value."""
    asked = ASKED.pack(socket.AF_UNIX, 0, 0, ALL_STATES, 0, SHOW_NAME_AND_PEER, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as kernel:
        kernel.settimeout(PATIENCE_S)
        kernel.send(HEAD.pack(HEAD.size + len(asked), BY_FAMILY, DUMP, 1, 0) + asked)
        while True:
            for kind, told in _cut(kernel.recv(CHUNK_BYTES), HEAD):
                if kind == DONE:
                    return
                if kind == ERROR:
                    raise OSError("the kernel does not tell of Unix sockets")
                inode = TOLD.unpack_from(told)[4]
                yield from ((inode, *each) for each in _cut(told[TOLD.size :], ATTRIBUTE))


def _cut(data: bytes, head: struct.Struct) -> Iterator[tuple[int, bytes]]:
    """Cut what the kernel told, messages or their attributes, into pairs of a kind and a value."""
    while data:
        length, kind = head.unpack_from(data)[:2]
        yield kind, data[head.size : length]
        # Each begins at a multiple of four bytes.
        data = data[-(-length // 4) * 4 :]
