"""New code and settings into a running stack, part after part: no request is lost that ends within `DRAIN_S`."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from app.run_dir import short_run_dir
from app.settings import Settings, read_settings, read_var_dir
from deploy.doorkeeper.door_record import read_record
from deploy.stack.console import say
from deploy.stack.database import prepare_database, read_named_versions
from deploy.stack.errors import CannotStart
from deploy.stack.runner_notes import outdated_versions
from deploy.stack.supervision import stop_wait_s
from deploy.stack.supervisorctl import StackEnvironment, Supervisorctl

STEP_S = 0.2
# What a part may take beside what its settings allow: its imports, on a machine that serves meanwhile.
MARGIN_S = 120.0


def reload_stack() -> None:
    """Migrate; replace controller and runners, Celery, web workers, each once the one before is through.

    Settings are read first, by the new code and from the environment of the stack: wrong ones change nothing. What
    stands when something fails serves on.

    :raises CannotStart: when no stack runs here, another reload is under way, or a part does not come up.
    """
    run_dir = short_run_dir(read_var_dir())
    supervisorctl = Supervisorctl(run_dir / "supervisord.conf")
    supervisorctl.demand_running()
    take_environment(supervisorctl.environment())
    with only_reload(run_dir):
        reload = Reload(read_settings(), supervisorctl)
        reload.database()
        reload.runners()
        reload.celery()
        reload.web()
    say("Everything runs with the new code and settings.")


@contextmanager
def only_reload(run_dir: Path) -> Iterator[None]:
    """Let nobody else reload for the length of the block: each would take the other's replacements for its own.

    :raises CannotStart: when somebody does.
    """
    # Closed by the system as well, whatever ends this process.
    with (run_dir / "reload.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise CannotStart("Another `make reload` is under way here; wait for its end.") from err

        yield


def take_environment(environment: StackEnvironment) -> None:
    """Have settings read as the running parts read them, whatever this shell exports and wherever it stands."""
    os.environ.clear()
    os.environ.update(environment.variables)
    os.chdir(environment.folder)


class Reload:
    """The steps, in the order in which they must be done: each part understands those that are not yet replaced."""

    def __init__(self, settings: Settings, supervisorctl: Supervisorctl) -> None:
        self._settings = settings
        self._supervisorctl = supervisorctl

    def database(self) -> None:
        """Bring the database to the newest schema."""
        prepare_database(self._settings)

    def runners(self) -> None:
        """Have a new controller take over, and replace the runners one by one."""
        say("Replacing the controller and the runners …")
        before = self._supervisorctl.pid("controller")
        self._supervisorctl.do("signal", "HUP", "controller")
        self._wait(partial(self._is_replaced, before), "controller", MARGIN_S)
        limit_s = self._settings.load_timeout_s + self._settings.drain_s + MARGIN_S
        while left := self._outdated():
            self._wait(partial(self._has_fewer, left), "controller", limit_s)

    def celery(self) -> None:
        """Restart Celery: tasks under way get `DRAIN_S`, and are done again where that was too short."""
        say("Restarting Celery …")
        self._supervisorctl.do("restart", "celery", waits_s=stop_wait_s(self._settings))

    def web(self) -> None:
        """Have a new gunicorn take over the port."""
        say("Replacing the web workers …")
        before = read_record(self._settings.run_dir)
        if before is None:
            raise CannotStart("The web tier has not come up yet; see web.log.")

        self._supervisorctl.do("signal", "HUP", "web")
        self._wait(lambda: read_record(self._settings.run_dir) != before, "web", 2 * MARGIN_S)
        after = read_record(self._settings.run_dir)
        if after is not None and after.failed > before.failed:
            raise CannotStart("The new web workers do not come up, those of before serve on; see web.log.")

    def _is_replaced(self, before: int) -> bool:
        return self._supervisorctl.pid("controller") not in (0, before) and self._supervisorctl.is_up("controller")

    def _has_fewer(self, outdated: int) -> bool:
        return self._outdated() < outdated

    def _outdated(self) -> int:
        """Count the runners to wait for: of those that nobody names, the idle ones go, and used ones when they are."""
        outdated = outdated_versions(self._settings.run_dir)
        named = read_named_versions(self._settings) if outdated else set()
        return sum(version in named for version in outdated)

    def _wait(self, is_done: Callable[[], bool], part: str, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not is_done():
            if time.monotonic() > deadline:
                raise CannotStart(f"Nothing changed for {limit_s:.0f} s, and what was there serves on; see {part}.log.")
            time.sleep(STEP_S)
