"""Settings for tests: the product's defaults, in a folder of the test's own."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from app.settings import Settings, read_settings

TEST_SECRET = "test-secret-of-more-than-thirty-two-bytes"


def make_settings(var_dir: Path, **changes: Any) -> Settings:
    """Return the default settings under `var_dir`, with `changes` made; a Redis that they name is used for all."""
    environment = {"VAR_DIR": str(var_dir), "JWT_SECRET": TEST_SECRET}
    with mock.patch.dict("os.environ", environment, clear=True):
        settings = read_settings()

    if "redis_url" in changes:
        changes = {"state_redis_url": changes["redis_url"], **changes}
    return replace(settings, **changes)
