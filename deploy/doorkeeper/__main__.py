"""`python -m deploy.doorkeeper COMMAND …`: COMMAND is a gunicorn's; where it listens is added.

SIGHUP has a new server take the place of the one that serves, once it answers; SIGTERM ends all.
"""

import signal

if __name__ == "__main__":
    # First of all, since imports take seconds: SIGHUP ends a process that has no handler yet, so it waits for one.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})

import errno
import socket
import sys
import time

from app.infra.log_setup import setup_logging
from app.setting_rules import SettingsError
from app.settings import Settings, read_settings
from deploy.doorkeeper.keeper import Doorkeeper

# As many as the kernel allows (net.core.somaxconn), so that callers wait while one server takes over from another.
BACKLOG = 2048
# The server of a doorkeeper that was killed lets go of the port a second or two later.
PATIENCE_S = 10.0
STEP_S = 0.1


def main() -> int:
    """Hold the port until told to end; answer with the exit status."""
    command = sys.argv[1:]
    if not command:
        sys.stderr.write("deploy.doorkeeper needs the command of a server to run.\n")
        return 2

    try:
        settings = read_settings()
    except SettingsError as err:
        sys.stderr.write(f"{err}\n")
        return 2

    try:
        listener = open_listener(settings)
    except OSError as err:
        sys.stderr.write(f"Cannot listen on {settings.host} port {settings.port} ({err.strerror}); set PORT or HOST.\n")
        return 1

    setup_logging(settings.log_level)
    with listener:
        return Doorkeeper(listener, command, folder=settings.run_dir, drain_s=settings.drain_s).run()


def open_listener(settings: Settings) -> socket.socket:
    """Listen where the settings say, as soon as nobody else does.

    :raises OSError: when another process still does after PATIENCE_S, or the address is not this machine's.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return _listen(settings)
        except OSError as err:
            if err.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(STEP_S)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)


if __name__ == "__main__":
    sys.exit(main())
