"""The command line of the benchmarks, and the command that measures a suite again in the same way."""

import argparse
import shlex
from pathlib import Path

from tests.load.measure import Plan
from tests.load.stack import ROOT
from tests.load.suites import SUITES

# Fields of Plan, and what each means.
OPTIONS = {
    "seconds": "length of a run",
    "runs": "runs per figure, of which the median is taken",
    "open_seconds": "length of a run at a constant rate",
    "overload_seconds": "length of an overload",
    "memory_requests": "requests over which memory is watched",
    "job_rows": "rows of the job that is timed",
    "busy_rows": "rows of the job beside which others are measured",
    "job_megabytes": "size of the job whose memory is watched",
    "idle_sockets": "sockets that are open beside those that send",
    "account_events": "events of the account whose state is watched",
    "pairs": "pairs of runs with and without metrics and access log",
    "soak_seconds": "length of the soak",
}


def _flag(option: str) -> str:
    return "--" + option.replace("_", "-")


def _suite(name: str) -> str:
    # NOTE: not `choices`: before Python 3.12 argparse then refuses to be called without any.
    if name not in SUITES:
        raise argparse.ArgumentTypeError(f"there is {', '.join(SUITES)}")
    return name


def parser() -> argparse.ArgumentParser:
    """Return the parser; each option is a field of Plan."""
    usual = Plan()
    made = argparse.ArgumentParser(
        prog="python -m tests.load",
        description="Measure a stack of its own, print the tables, write docs/benchmarks.md.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("suites", nargs="*", type=_suite, help=f"of {', '.join(SUITES)}; all by default")
    for option, meaning in OPTIONS.items():
        value = getattr(usual, option)
        made.add_argument(_flag(option), type=type(value), default=value, help=meaning)
    made.add_argument("--like", type=Path, help="a stack's VAR_DIR: its models are copied, not trained again")
    made.add_argument("--out", type=Path, default=ROOT / "docs/benchmarks.md", help="the Markdown file to write")
    made.add_argument("--no-out", dest="out", action="store_const", const=None, help="only print")
    return made


def command_of(name: str, plan: Plan) -> str:
    """Return how to measure a suite in the same way."""
    usual = Plan()
    words = [".venv/bin/python", "-m", "tests.load", name]
    for option in OPTIONS:
        if (value := getattr(plan, option)) != getattr(usual, option):
            words += [_flag(option), f"{value:g}" if isinstance(value, float) else f"{value}"]
    return shlex.join(words)
