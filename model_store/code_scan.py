"""What an artifact would do if it were opened, read without opening it.

TorchScript runs a model's code inside `torch.jit.load` already, and its operators can read and write files. So code and
pickles are read as bytes first. This is the first wall of several: what passes is opened in a limited process only.
"""

from pathlib import Path
from typing import Protocol

from app.errors import UnloadableArtifact
from model_store.archive import Archive
from model_store.pickle_scan import check_pickle
from model_store.torchscript_text import check_text

_NEEDED = ("data.pkl", "constants.pkl")


class Records(Protocol):
    """The named parts of an archive, whoever reads it."""

    def names(self) -> list[str]:
        """Return the names of all records."""

    def read(self, name: str) -> bytes:
        """Return a record's bytes."""


def scan_artifact(path: Path) -> None:
    """Read an artifact's code and pickles, and refuse what no model may do.

    :raises ForbiddenCode: naming file, line and call of the first finding.
    :raises LimitExceeded: when the archive is too large to be looked through.
    :raises UnloadableArtifact: when it is no TorchScript archive.
    """
    with Archive(path) as archive:
        scan_records(archive)


def scan_records(records: Records) -> None:
    """Scan an archive that is open already; raises what `scan_artifact` raises."""
    names = records.names()
    missing = [name for name in _NEEDED if name not in names]
    if not any(name.startswith("code/") for name in names):
        missing.append("code")
    if missing:
        raise UnloadableArtifact(f"The artifact is not a whole TorchScript archive: it lacks {', '.join(missing)}.")

    for name in names:
        # Without regard to case, as torch looks its records up.
        match name.lower().rpartition(".")[2]:
            case "py":
                check_text(name, records.read(name))
            case "pkl":
                check_pickle(name, records.read(name))
