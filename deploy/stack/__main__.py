"""`python -m deploy.stack run`, `… prepare`, `… reload` and `… token`."""

import argparse
import os
import sys

from app.infra.parent_death import end_with_parent
from app.setting_rules import SettingsError
from app.settings import read_settings
from deploy.stack.access_token import fetch_token
from deploy.stack.console import complain, say
from deploy.stack.errors import CannotStart
from deploy.stack.launcher import run_stack
from deploy.stack.preparation import prepare_services
from deploy.stack.reload import reload_stack


def main() -> int:
    """Do what the command line says; answer with the exit status."""
    arguments = _parser().parse_args()
    try:
        if arguments.command == "token":
            say(fetch_token(read_settings()))
        elif arguments.command == "prepare":
            prepare_services()
        elif arguments.command == "reload":
            reload_stack()
        else:
            _run(arguments.end_with_parent)
    except (CannotStart, SettingsError) as err:
        complain(str(err))
        return 2

    return 0


def _run(is_tied: bool) -> None:
    if is_tied:
        end_with_parent(os.getppid())
    run_stack()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.stack", description="Run Galley on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start everything; Ctrl-C ends it")
    run.add_argument("--end-with-parent", action="store_true", help="end, too, when the calling process is killed")
    commands.add_parser("prepare", help="make folders, schema and the first client, for parts that others start")
    commands.add_parser("reload", help="have a running stack take up new code and settings, without losing a request")
    commands.add_parser("token", help="print a token of the first admin client")
    return parser


if __name__ == "__main__":
    sys.exit(main())
