"""PostgreSQL's own programs: a dump of one snapshot, and a database that is replaced by a dump in one transaction."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGPIPE
from subprocess import DEVNULL
from typing import IO, Final
from urllib.parse import unquote, urlsplit

from deploy.backup.errors import BackupError

# Whoever reads a table meanwhile would keep the whole waiting; the dump sets this to what it needs itself.
_EMPTIED: Final = b"""\
BEGIN; SET lock_timeout = '10s'; SET client_min_messages = warning;
DROP SCHEMA public CASCADE; CREATE SCHEMA public;
"""
_FILLED: Final = b"COMMIT;\n"
_FILL: Final = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-")


def dump_database(url: str, target: Path, *, snapshot: str) -> None:
    """Write what an exported snapshot shows of the database at `url` to a file.

    :raises BackupError: when it cannot be done.
    """
    program = _program("pg_dump")
    with _address(url) as address:
        _run(program, f"--dbname={address}", "--format=custom", f"--snapshot={snapshot}", f"--file={target}")


def check_dump(dump: Path) -> None:
    """Have pg_restore read what is in a dump.

    :raises BackupError: when it cannot.
    """
    _run(_program("pg_restore"), "--list", str(dump))


def replace_database(url: str, dump: Path) -> None:
    """Let the database at `url` hold what a dump does, and nothing else; if that fails, it is as before.

    :raises BackupError: when it fails.
    """
    psql, pg_restore = _program("psql"), _program("pg_restore")
    with _address(url) as address, tempfile.TemporaryFile() as said:
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as script:
            # The words are ours.
            session = subprocess.Popen([psql, f"--dbname={address}", *_FILL], stdin=script, stdout=DEVNULL, stderr=said)  # noqa: S603
        with session, os.fdopen(writing, "wb", buffering=0) as script:
            status = _feed(script, [pg_restore, "--no-owner", "--no-acl", "--file=-", str(dump)], said)
        if session.returncode or status:
            said.seek(0)
            # Where psql ends, pg_restore ends for its sake only.
            name = "psql" if session.returncode else "pg_restore"
            raise BackupError(f"{name} failed, and nothing was changed: {said.read().decode(errors='replace').strip()}")


def _feed(session: IO[bytes], command: list[str], said: IO[bytes]) -> int:
    """Give a session its whole course, the commit only where the dump was read to its end; return pg_restore's status.

    NOTE: `psql --single-transaction` commits what it was given by the end of its input, be it half a dump.
    """
    # One that has ended reads no more; its own status and words say why.
    with suppress(BrokenPipeError):
        session.write(_EMPTIED)
        status = subprocess.run(command, stdin=DEVNULL, stdout=session, stderr=said, check=False).returncode  # noqa: S603
        if status == 0:
            session.write(_FILLED)
        return status
    return SIGPIPE


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise BackupError(f"There is no {name}: install it (Debian: apt install postgresql-client).")

    return path


def _run(*command: str) -> None:
    # The words are ours.
    result = subprocess.run(command, stdin=DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode:
        raise BackupError(f"{Path(command[0]).name} failed: {result.stderr.strip()}")


@contextmanager
def _address(url: str) -> Iterator[str]:
    """Yield a libpq address without the password, which anybody could read in the list of processes."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    with tempfile.NamedTemporaryFile("w", prefix="galley-pgpass-") as file:
        query = parts.query
        if password:
            escaped = unquote(password).replace("\\", "\\\\").replace(":", "\\:")
            file.write(f"*:*:*:*:{escaped}\n")
            file.flush()
            query = "&".join(filter(None, [query, f"passfile={file.name}"]))
        yield f"postgresql://{name}{at}{host}{parts.path}" + (f"?{query}" if query else "")
