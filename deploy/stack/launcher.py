"""The course of one stack: started, watched, ended."""

import time

from app.settings import Settings
from deploy.stack.access_token import fetch_token
from deploy.stack.children import Children
from deploy.stack.console import complain, say
from deploy.stack.database import prepare_database
from deploy.stack.demo import DemoModels
from deploy.stack.errors import CannotStart, StopRequested
from deploy.stack.preparation import Prepared, prepared_folder
from deploy.stack.readiness import describe, unready_parts
from deploy.stack.supervision import Supervisor
from deploy.stack.welcome import welcome

ASK_EVERY_S = 0.25
# How long the same parts may be unready before the terminal hears of it again.
REMIND_S = 15.0
# A supervisord that dies sooner than this after its start would only die again.
LEAST_LIFE_S = 10.0


def run_stack() -> None:
    """Run the whole stack until asked to stop; no process is left when this returns.

    :raises CannotStart: when something must be mended first.
    """
    with prepared_folder() as prepared, Children() as children:
        try:
            prepare_database(prepared.settings)
            _Course(prepared, children).run()
        except StopRequested as stop:
            say(f"\n{stop}")


class _Course:
    """What happens between the first process and the last."""

    def __init__(self, prepared: Prepared, children: Children) -> None:
        self._settings = prepared.settings
        self._children = children
        self._supervisor = Supervisor(prepared.settings, children, prepared.lock)
        self._demo = DemoModels(prepared.settings, children)

    def run(self) -> None:
        """Start, wait, watch; returns once the parts were told to end in their order."""
        say(f"Starting Galley in {self._settings.var_dir} …")
        self._supervisor.start()
        try:
            self._demo.begin()
            self._wait_ready()
            say(welcome(self._settings, self._token()))
            self._watch()
        except StopRequested as stop:
            say(f"\n{stop}")
            self._supervisor.stop()

    def _token(self) -> str:
        try:
            return fetch_token(self._settings)
        except CannotStart as err:
            # Clients were made elsewhere, or the file was taken away as it should be: the stack serves all the same.
            complain(str(err))
            return "TOKEN"

    def _wait_ready(self) -> None:
        report = _Waiting(self._settings)
        while not self._is_ready(report):
            self._keep_alive()
            self._children.pause(ASK_EVERY_S)

    def _is_ready(self, report: "_Waiting") -> bool:
        if not self._demo.is_done():
            return False

        parts = unready_parts(self._settings)
        report.tell(parts)
        return not parts

    def _watch(self) -> None:
        while True:
            self._keep_alive()
            self._children.pause(60.0)

    def _keep_alive(self) -> None:
        """Start supervisord again if it died: what it left behind is ended first, since it would be in the way."""
        if self._supervisor.is_alive():
            return
        if self._supervisor.age_s() < LEAST_LIFE_S:
            raise CannotStart(f"supervisord does not stay alive; see {self._settings.var_dir / 'log'}.")

        complain("supervisord has died; starting everything again.")
        self._children.sweep()
        self._supervisor.start()


class _Waiting:
    """Tells the terminal what the stack waits for: when that changes, and now and then."""

    def __init__(self, settings: Settings) -> None:
        self._log_dir = settings.var_dir / "log"
        self._told: dict[str, str] = {}
        self._told_at = time.monotonic()

    def tell(self, parts: dict[str, str]) -> None:
        if not parts:
            return

        is_old = time.monotonic() - self._told_at > REMIND_S
        if parts == self._told and not is_old:
            return

        say(f"Waiting for {describe(parts)}" + (f" (see {self._log_dir})" if is_old else ""))
        self._told, self._told_at = parts, time.monotonic()
