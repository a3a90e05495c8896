"""supervisord, as the launcher starts it: its configuration filled in, its process watched."""

import subprocess
import sys
import time
from pathlib import Path
from string import Template

from app.settings import Settings
from deploy.stack.binaries import find_redis_server
from deploy.stack.checks import starts_redis
from deploy.stack.children import Children

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATE = ROOT / "deploy" / "supervisord.conf"
# What a part needs beyond the drain time it was promised, before supervisord loses patience with it.
STOP_MARGIN_S = 10
# The four parts end one after the other.
PARTS = 4


class Supervisor:
    """One supervisord and everything under it, in the folders of `settings`."""

    def __init__(self, settings: Settings, children: Children, lock: int) -> None:
        self._settings = settings
        self._children = children
        self._lock = lock
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    def start(self) -> None:
        """Write the configuration and start; returns before any part is up."""
        config = self._settings.run_dir / "supervisord.conf"
        config.write_text(render_config(self._settings))
        command = [sys.executable, "-m", "deploy.stack.supervisord", "--configuration", str(config)]
        # The lock goes with it: should this process be killed, the folder is taken until supervisord has ended.
        self._process = self._children.start(command, keep=[self._lock])
        self._started_at = time.monotonic()

    def is_alive(self) -> bool:
        """Say whether supervisord still runs."""
        return self._process is not None and self._process.poll() is None

    def age_s(self) -> float:
        """Return how long ago supervisord was started."""
        return time.monotonic() - self._started_at

    def stop(self) -> None:
        """End the parts in their order; returns when all have ended or the time for it is over.

        :raises StopRequested: when asked to stop once more.
        """
        if self._process is None:
            return

        self._process.terminate()
        self._children.wait(lambda: not self.is_alive(), PARTS * stop_wait_s(self._settings))


def render_config(settings: Settings) -> str:
    """Return supervisord's configuration for these settings."""
    names = {
        "python": sys.executable,
        "root": ROOT,
        "var_dir": settings.var_dir,
        "run_dir": settings.run_dir,
        "redis_server": find_redis_server() or "redis-server",
        "starts_redis": str(starts_redis(settings)).lower(),
        "stop_wait_s": stop_wait_s(settings),
    }
    return Template(TEMPLATE.read_text()).substitute(names)


def stop_wait_s(settings: Settings) -> int:
    """Return how long supervisord waits for a part that was told to end."""
    return round(settings.drain_s) + STOP_MARGIN_S
