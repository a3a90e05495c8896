"""Who runs what: the controller publishes a snapshot of all runners to Redis, everyone else reads it."""

import msgspec
from msgspec import Struct, field

from app.inference.messages import RunnerState

DIRECTORY_KEY = "galley:directory"
DIRECTORY_CHANNEL = "galley:directory:changed"
# Sorted set `name/version` → unix time of the last call that found no runner: the controller starts those.
WANTED_KEY = "galley:wanted"
WANTED_CHANNEL = "galley:wanted"


class RunnerRecord(Struct, frozen=True, kw_only=True):
    """One runner, as the controller last saw it. `address` is a ZeroMQ endpoint."""

    name: str
    version: int
    digest: str
    state: RunnerState
    address: str
    pid: int
    host: str
    reason: str = ""
    queued_rows: int = 0
    capacity_rows: int = 0
    memory_bytes: int = 0
    rows_per_s: float = 0.0
    load_s: float = 0.0
    started_at: float = 0.0


class HeldBack(Struct, frozen=True, kw_only=True):
    """A version that is named but has no runner for now, and why: the memory budget, or the wish to unload it."""

    name: str
    version: int
    reason: str


class DirectorySnapshot(Struct, frozen=True, kw_only=True):
    """All runners at one time (unix seconds), with the controller's pid. Always replaced whole."""

    published_at: float
    controller_pid: int
    runners: list[RunnerRecord] = field(default_factory=list)
    held_back: list[HeldBack] = field(default_factory=list)


EMPTY_DIRECTORY = DirectorySnapshot(published_at=0.0, controller_pid=0)

encode_directory = msgspec.msgpack.Encoder().encode
decode_directory = msgspec.msgpack.Decoder(DirectorySnapshot).decode
