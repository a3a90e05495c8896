"""The notes a controller keeps of its runners on disk, so that its successor can adopt them."""

import logging
import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef

logger = logging.getLogger(__name__)

SCHEME = "ipc://"


class RunnerNote(Struct, frozen=True, kw_only=True):
    """One runner: what it serves, where, and which process it is.

    It is written before the process is started, with pid 0, and again when the pid is known: a runner whose
    controller was killed in between is found by its address. `started_ticks` guards against a reused pid.
    """

    name: str
    version: int
    digest: str
    address: str
    started_at: float
    pid: int = 0
    started_ticks: int = 0
    is_outdated: bool = False
    """Whether it runs code or settings of before a deployment, and is to be replaced once another is READY."""

    @property
    def desired(self) -> DesiredVersion:
        """What the runner serves."""
        return DesiredVersion(ref=ModelRef(self.name, self.version), digest=self.digest)


class RunnerFiles:
    """The folder of notes (`ID.json`) and sockets (`ID.sock`). Only one controller at a time may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Whoever can write to a socket can have the model run.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def new_address(self) -> str:
        """Return an address no runner ever had."""
        return f"{SCHEME}{self._folder}/{secrets.token_hex(6)}.sock"

    def write(self, note: RunnerNote) -> None:
        """Write or replace a runner's note, whole or not at all."""
        path = _socket(note.address).with_suffix(".json")
        staged = path.with_suffix(".new")
        try:
            staged.write_bytes(msgspec.json.encode(note))
            staged.replace(path)
        except OSError:
            staged.unlink(missing_ok=True)
            raise

    def read(self) -> list[RunnerNote]:
        """Return all notes that can be read."""
        return [note for note in map(self._read, sorted(self._folder.glob("*.json"))) if note is not None]

    def remove(self, address: str) -> None:
        """Delete a runner's note and socket."""
        path = _socket(address)
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)

    def sweep(self, addresses: set[str]) -> None:
        """Delete everything that belongs to none of these addresses."""
        kept = {_socket(address).stem for address in addresses}
        for path in self._folder.iterdir():
            if path.stem not in kept:
                path.unlink(missing_ok=True)

    def _read(self, path: Path) -> RunnerNote | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=RunnerNote)
        except (OSError, msgspec.MsgspecError) as err:
            logger.warning("the note %s cannot be read: %s", path.name, err)
            return None


def _socket(address: str) -> Path:
    return Path(address.removeprefix(SCHEME))
