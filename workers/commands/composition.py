"""The parts of a worker for the length of one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.services.releases import ReleaseService
from app.settings import read_settings
from workers.bootstrap import WorkerParts, assemble


@contextmanager
def open_parts() -> Iterator[WorkerParts]:
    """Build all services from the settings; connections close at the end of the block."""
    parts = assemble(read_settings())
    try:
        yield parts
    finally:
        parts.close()


@contextmanager
def open_releases() -> Iterator[ReleaseService]:
    """Build the release service from the settings; connections close at the end of the block."""
    with open_parts() as parts:
        yield parts.releases
