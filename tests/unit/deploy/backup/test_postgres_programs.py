"""No program is shown a password, one that is missing is named, and half a dump is never committed."""

from pathlib import Path

import pytest

from deploy.backup.errors import BackupError
from deploy.backup.postgres_programs import dump_database, replace_database

URL = "postgresql+psycopg://galley:p%3Aw@host:5432/name?sslmode=require"
# They stand where PostgreSQL's programs would. This one says how it was called, and fails.
CLOSED = """#!/bin/sh
for word in "$@"; do echo "$word" >> {folder}/told; done
cat "$(echo "$1" | sed 's/.*passfile=//')" > {folder}/passwords
echo "it is closed" >&2
exit 3
"""
READER = "#!/bin/sh\ncat > {folder}/script\n"
HALF = "#!/bin/sh\necho 'CREATE TABLE first (x int);'\necho 'the end is missing' >&2\nexit {status}\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose programs go before all others."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def put(folder: Path, name: str, text: str) -> None:
    """Make a program."""
    (folder / name).write_text(text)
    (folder / name).chmod(0o700)


def test_passwords_are_in_no_command_line(programs: Path) -> None:
    put(programs, "pg_dump", CLOSED.format(folder=programs))

    with pytest.raises(BackupError, match="pg_dump failed: it is closed"):
        dump_database(URL, programs / "dump", snapshot="1")

    told = (programs / "told").read_text()
    assert told.startswith("--dbname=postgresql://galley@host:5432/name?sslmode=require&passfile=")
    assert (programs / "passwords").read_text() == "*:*:*:*:p\\:w\n"


def test_a_program_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BackupError, match=r"no psql: .*apt install postgresql-client"):
        replace_database(URL, tmp_path / "dump")


@pytest.mark.parametrize(("status", "last"), [(0, "COMMIT;"), (1, "CREATE TABLE first (x int);")])
def test_only_what_was_read_to_its_end_is_committed(programs: Path, status: int, last: str) -> None:
    put(programs, "psql", READER.format(folder=programs))
    put(programs, "pg_restore", HALF.format(status=status))

    if status:
        with pytest.raises(BackupError, match="pg_restore failed, and nothing was changed: the end is missing"):
            replace_database(URL, programs / "dump")
    else:
        replace_database(URL, programs / "dump")

    first, *_, final = (programs / "script").read_text().splitlines()
    assert (first.split(";")[0], final) == ("BEGIN", last)


def test_a_session_that_ends_is_the_cause(programs: Path) -> None:
    put(programs, "psql", CLOSED.format(folder=programs))
    put(programs, "pg_restore", "#!/bin/sh\nexec yes\n")

    with pytest.raises(BackupError, match="psql failed, and nothing was changed: it is closed"):
        replace_database(URL, programs / "dump")
