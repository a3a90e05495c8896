"""The release service for the length of one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.services.releases import ReleaseService
from app.settings import read_settings
from workers.bootstrap import assemble


@contextmanager
def open_releases() -> Iterator[ReleaseService]:
    """Build the release service from the settings; connections close at the end of the block."""
    parts = assemble(read_settings())
    try:
        yield parts.releases
    finally:
        parts.close()
