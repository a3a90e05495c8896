"""The controller's notes of its runners, as far as a reload reads them."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef


class RunnerNote(Struct, frozen=True):
    """Of all that is noted, what the runner serves, and whether it is of before the last reload."""

    name: str
    version: int
    digest: str
    is_outdated: bool = False

    @property
    def desired(self) -> DesiredVersion:
        """What the runner serves."""
        return DesiredVersion(ref=ModelRef(self.name, self.version), digest=self.digest)


def outdated_versions(run_dir: Path) -> list[DesiredVersion]:
    """Return what the runners serve that are still to be replaced, once for each of them."""
    return [note.desired for note in _notes(run_dir / "runners") if note.is_outdated]


def _notes(folder: Path) -> Iterator[RunnerNote]:
    for path in folder.glob("*.json"):
        try:
            yield msgspec.json.decode(path.read_bytes(), type=RunnerNote)
        except FileNotFoundError:
            # It went between the listing and the look.
            continue
