"""`python -m deploy.doctor`: exits with 1 where something does not work or is unsafe, with 0 otherwise."""

import argparse
import os
import secrets
import sys

from app.secret_file import secret_to_make
from app.setting_rules import SettingsError
from app.settings import Settings, read_settings, read_var_dir
from deploy.doctor.case import Case, parts_run
from deploy.doctor.examination import AS_THE_PARTS, examine, examine_software
from deploy.doctor.finding import Finding, Verdict, error, good, worst
from deploy.doctor.machine import Machine
from deploy.doctor.report import as_json, as_text
from deploy.stack.console import say


def main() -> int:
    """Look at everything, tell, and answer with the exit status."""
    arguments = _parser().parse_args()
    findings = diagnose()
    for line in [as_json(findings)] if arguments.json else as_text(findings):
        say(line)
    return int(worst(findings) is Verdict.ERROR)


def diagnose() -> list[Finding]:
    """Return all findings."""
    findings = examine_software()
    try:
        settings = _settings()
    except SettingsError as err:
        return [*findings, error("settings", str(err), "Correct them; docs/operations.md says what each may be.")]
    except PermissionError as err:
        return [*findings, error("settings", f"{err.filename} is closed to this user.", AS_THE_PARTS)]

    machine = Machine()
    case = Case(settings=settings, machine=machine, is_running=parts_run(settings, machine))
    return [*findings, good("settings", "All settings can be read."), *examine(case)]


def _settings() -> Settings:
    if secret_to_make(read_var_dir()) is not None:
        # The first start makes one up; until then any will do to look at the rest.
        os.environ["JWT_SECRET"] = secrets.token_urlsafe(48)
    return read_settings()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.doctor", description="Say what is wrong or unsafe here, and how to mend it."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
