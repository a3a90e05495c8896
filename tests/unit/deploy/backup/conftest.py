"""A place that is worth saving."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.saved_sites import Site, make_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = make_site(tmp_path / "site")
    yield site
    site.close()
