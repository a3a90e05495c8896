"""`python -m workers.controller`: the controller as a process of its own."""

import signal

if __name__ == "__main__":
    # First of all, since imports take seconds: SIGHUP ends a process that has no handler yet, so it waits for one.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})

    from app.infra.metric_room import take_room_for_metrics

    # Before anything is imported that counts: its file is made then.
    take_room_for_metrics()

import fcntl
import logging
import os
import sys
from types import FrameType
from typing import TextIO

from setproctitle import setproctitle

from app.infra.log_setup import setup_logging
from app.infra.metric_folding import fold_dead_processes
from app.infra.process_meter import ProcessMeter
from app.setting_rules import SettingsError
from app.settings import Settings, read_settings
from workers.bootstrap import assemble
from workers.controller.controller import Controller

logger = logging.getLogger(__name__)


def main() -> int:
    """Run the controller until SIGTERM, SIGINT or SIGHUP; return its exit code."""
    try:
        settings = read_settings()
    except SettingsError as err:
        sys.stderr.write(f"{err}\n")
        return 2

    setup_logging(settings.log_level)
    setproctitle("galley-controller")
    lock = take_lock(settings)
    if lock is None:
        logger.error("another controller uses %s", settings.run_dir)
        return 1

    with lock:
        serve(settings)
    return 0


def serve(settings: Settings) -> None:
    """Run a controller until a signal ends it: SIGHUP has its successor take over the runners and replace them."""
    parts = assemble(settings)
    # What a predecessor that was killed could not do.
    fold_dead_processes(settings.metrics_dir / "controller")
    controller = Controller(parts)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        controller.stop()

    def hand_over(_signal: int, _frame: FrameType | None) -> None:
        controller.hand_over()

    signal.signal(signal.SIGHUP, hand_over)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    meter = ProcessMeter("controller")
    meter.start()
    controller.run()
    meter.stop()
    parts.close()


def take_lock(settings: Settings) -> TextIO | None:
    """Return the open lock file of the run dir, or None when another living controller holds it."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    lock = (settings.run_dir / "controller.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None

    return lock


def run_and_exit() -> None:
    """Run, and leave without `multiprocessing`'s farewell, which would wait for runners that are to live on."""
    try:
        code = main()
    except BaseException:
        logger.exception("the controller failed; its runners go on")
        code = 1
    logging.shutdown()
    os._exit(code)


if __name__ == "__main__":
    run_and_exit()
