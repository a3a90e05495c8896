"""The process that reads a Parquet file from a client: Arrow may take any memory, or end, over a hostile one.

Order on standard input, pickled by the parent; what comes of it on standard output, a JSON array per line.
"""

import os
import pickle
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from app.errors import GalleyError, InvalidInput, StoreUnreachable
from app.infra.parent_death import end_with_parent
from app.scenarios.job_inputs import ChunkLimits
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.parquet_slicing import write_slices
from workers.verification.meter import read_kib

COLUMNS, SLICE, ERROR, END = "columns", "slice", "error", "end"
"""What a line tells: the columns' names; a slice's name and rows; an error's code and sentence; that all is read."""

MEMORY_BYTES: Final = 200_000_000
"""How much the process may take beyond what it has at first."""

_TOO_MUCH: Final = (
    f"Reading the Parquet file takes more than {MEMORY_BYTES} bytes of memory: its pages are too large. "
    "Write it with fewer rows in a row group, and without a dictionary of large values."
)


@dataclass(frozen=True)
class Order:
    """What to read, how to cut it, how large a row may be, and for whom."""

    folder: JobFolder
    limits: ChunkLimits
    most_row_bytes: int
    parent_pid: int


def run(order: Order) -> None:
    """Write the input's slices, telling of each."""
    try:
        slices = write_slices(
            order.folder, order.limits, lambda columns: _tell(COLUMNS, columns), most_row_bytes=order.most_row_bytes
        )
        for name, rows in slices:
            _tell(SLICE, name, rows)
    except MemoryError:
        _tell_error(InvalidInput(_TOO_MUCH))
    except GalleyError as err:
        _tell_error(err)
    except OSError as err:
        _tell_error(StoreUnreachable(f"The input cannot be reached: {err.strerror or type(err).__name__}."))
    else:
        _tell(END)


def limit_memory() -> None:
    """Take no more memory than MEMORY_BYTES from now on, where the system can tell what a process takes (Linux)."""
    # Arrow's own pools reserve gigabytes before they need any.
    pa.set_memory_pool(pa.system_memory_pool())
    held_bytes = read_kib(Path(f"/proc/{os.getpid()}/status").read_bytes(), "VmData") * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held_bytes + MEMORY_BYTES, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _tell_error(error: GalleyError) -> None:
    _tell(ERROR, error.code, error.detail)


def _tell(*line: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    received = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the parent, by a pipe # nosec B301
    end_with_parent(received.parent_pid, signal.SIGKILL)
    limit_memory()
    run(received)
