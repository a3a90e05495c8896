"""What must be true before anything starts; every check answers with a sentence that says what to do."""

import os
import socket
import sys
import tempfile
from pathlib import Path

from app.errors import StoreError
from app.settings import Settings
from deploy.stack.binaries import find_redis_server
from model_store.reader import open_store

OLDEST_PYTHON = (3, 11)


def check_python() -> list[str]:
    """Name a Python that is too old."""
    if sys.version_info >= OLDEST_PYTHON:
        return []

    return [
        f"Galley needs Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer, and this is {sys.version.split()[0]}."
    ]


def check_name(folder: Path) -> list[str]:
    """Name a path that supervisord would take for one of its own expressions; it has no way to escape some of them."""
    if not set(str(folder)) & set('%"'):
        return []

    return [f"The path {folder} must not contain % or double quotes; set VAR_DIR to another one."]


def check_writable(folder: Path) -> list[str]:
    """Name a folder that cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return []
    except OSError as err:
        reason = os.strerror(err.errno) if err.errno else str(err)
        return [f"Cannot write to {folder} ({reason}); set VAR_DIR to a folder that you may write to."]


def check_port(settings: Settings) -> list[str]:
    """Name an address that another process listens on, or that is not this machine's."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
            probe.listen(1)
        except OSError as err:
            return [f"Cannot listen on {settings.host} port {settings.port} ({err.strerror}); set PORT or HOST."]

    return []


def check_redis(settings: Settings) -> list[str]:
    """Name a Redis server that is wanted here and missing."""
    if not starts_redis(settings) or find_redis_server() is not None:
        return []

    return [
        "There is no redis-server: install it (Debian: apt install redis-server), or set REDIS_URL to a running one."
    ]


def check_store(settings: Settings) -> list[str]:
    """Name a store of a kind that nothing installed can reach; whether it answers is for later."""
    try:
        open_store(settings.store_url, settings.var_dir / "store-cache")
    except StoreError as err:
        return [f"{err.detail} Set STORE_URL to a folder, or install what reaches it."]

    return []


def starts_redis(settings: Settings) -> bool:
    """Say whether the stack brings its own Redis: only while REDIS_URL or STATE_REDIS_URL names its own socket."""
    return f"unix://{settings.run_dir}/redis.sock" in (settings.redis_url, settings.state_redis_url)
