"""`python -m deploy.backup make`, `… verify FOLDER` and `… restore FOLDER`."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.errors import GalleyError
from app.infra.backup_note import note_backup
from app.secret_file import secret_to_make
from app.setting_rules import SettingsError
from app.settings import read_settings, read_var_dir
from deploy.backup.archive import BackupFacts, open_backup
from deploy.backup.errors import BackupError
from deploy.backup.making import make_backup
from deploy.backup.restoring import restore_backup
from deploy.backup.retention import sweep
from deploy.stack.console import complain, say
from deploy.stack.errors import CannotStart
from deploy.stack.folders import write_secret

KEPT: Final = 7
IS_DAMAGED: Final = 1
FAILED: Final = 2


def main() -> int:
    """Do what the command line says; answer with the exit status: 1 for damage that was found, 2 for nothing done."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except (BackupError, CannotStart, SettingsError) as err:
        complain(str(err))
    except GalleyError as err:
        complain(err.detail)
    except OSError as err:
        complain(f"{err.filename or 'A file'}: {err.strerror or err}")
    return FAILED


def _make(arguments: argparse.Namespace) -> int:
    settings = read_settings()
    target: Path = arguments.to or settings.var_dir / "backups"
    backup = make_backup(settings, target.absolute(), now=datetime.now(UTC), with_jobs=arguments.jobs)
    say(f"Saved {_describe(backup.facts)} in {backup.folder}.")
    if backup.facts.damaged:
        say("Nothing older was removed: an earlier backup may hold what is damaged now.")
        return _tell_damaged(backup.facts)

    note_backup(settings.var_dir)
    for folder in sweep(target.absolute(), keep=arguments.keep):
        say(f"Removed {folder}: the newest {arguments.keep} are kept.")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    facts = open_backup(arguments.folder.absolute())
    say(f"{arguments.folder} is whole: {_describe(facts)}, of {facts.created_at}.")
    return _tell_damaged(facts)


def _restore(arguments: argparse.Namespace) -> int:
    secret = secret_to_make(read_var_dir())
    if secret is not None:
        write_secret(secret)
    facts = restore_backup(arguments.folder.absolute(), read_settings(), is_forced=arguments.force)
    say(f"Restored {_describe(facts)}, of {facts.created_at}.")
    if facts.jobs is None:
        say("It holds no files of jobs: inputs and results of the jobs that it names are gone.")
    return _tell_damaged(facts)


def _describe(facts: BackupFacts) -> str:
    jobs = "" if facts.jobs is None else f", the files of {facts.jobs} jobs"
    return f"{facts.database} at revision {facts.revision}, {len(facts.versions)} versions{jobs}"


def _tell_damaged(facts: BackupFacts) -> int:
    for ref in facts.damaged:
        complain(f"{ref} was damaged in the store when it was saved: no runner will load it.")
    return IS_DAMAGED if facts.damaged else 0


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError(f"{count} is less than 0")
    return count


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.backup", description="Save Galley's data, and bring it back."
    )
    commands = parser.add_subparsers(required=True)
    make = commands.add_parser("make", help="save SQL and the store, beside a running stack")
    make.add_argument("--to", type=Path, metavar="FOLDER", help="where backups are kept (VAR_DIR/backups)")
    make.add_argument("--keep", type=_count, default=KEPT, metavar="N", help=f"how many are kept, 0 for all ({KEPT})")
    make.add_argument("--jobs", action="store_true", help="save the files of jobs, too")
    make.set_defaults(run=_make)
    verify = commands.add_parser("verify", help="compare a backup with its checksums")
    verify.add_argument("folder", type=Path)
    verify.set_defaults(run=_verify)
    restore = commands.add_parser("restore", help="bring a backup back, while nothing runs")
    restore.add_argument("folder", type=Path)
    restore.add_argument("--force", action="store_true", help="let go of what is there")
    restore.set_defaults(run=_restore)
    return parser


if __name__ == "__main__":
    sys.exit(main())
