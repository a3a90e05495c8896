"""`python -m tests.chaos`: break a whole installation at random, and fail if an invariant is broken."""

import argparse
import datetime
import random
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.chaos.report import tables
from tests.chaos.run import Plan, run_chaos
from tests.factories.stack import ROOT, Stack
from tests.load.document import Section, merged
from tests.load.machine import machine_facts

SECTION = "chaos"
DOCUMENT = ROOT / "docs/chaos.md"
# In less not all blows fall: whoever reads the document would take it for more than it is.
MEASURED_S = 600.0
OUT_HELP = f"the Markdown file to write; runs of less than {MEASURED_S:g} s are not written into docs/chaos.md"


def main() -> int:
    """Run, print, write; return the exit status: 0 if every invariant held, 1 if not, 2 if nothing could be run."""
    options = _parser().parse_args()
    plan = Plan(seconds=options.seconds, seed=options.seed, back_within_s=options.back_within)
    like = Stack(var_dir=options.like) if options.like else None
    try:
        journal = run_chaos(plan, like=like, say=_say)
    except (pytest.skip.Exception, pytest.fail.Exception) as err:
        _say(f"chaos needs what is not here: {err}")
        return 2

    facts = machine_facts()
    command = f"make chaos CHAOS_S={options.seconds:g} CHAOS_SEED={options.seed}"
    footing = f"Run {datetime.datetime.now(datetime.UTC):%Y-%m-%d} by `{command}`, {facts['Cores']} cores."
    section = Section(name=SECTION, tables=tables(journal), footing=footing)
    sys.stdout.write("".join(f"\n{table}\n" for table in section.tables) + f"\n{section.footing}\n")
    if options.out:
        place = _place(options.out, options.seconds)
        place.write_text(merged(options.out.read_text("utf-8"), section), "utf-8")
        _say(f"wrote it into {place}")
    return 1 if journal.violations else 0


def _place(out: Path, seconds: float) -> Path:
    """Return where to write: into the document of the project only what was measured for long enough."""
    if out.resolve() != DOCUMENT or seconds >= MEASURED_S:
        return out

    _say(f"{seconds:g} s are too short for {DOCUMENT.name}, which wants {MEASURED_S:g} s")
    return Path(tempfile.mkdtemp(prefix="galley-chaos-report-")) / DOCUMENT.name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Break a whole installation at random.")
    parser.add_argument("--seconds", type=float, default=600, help="for how long")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="deals the blows; by default any")
    parser.add_argument("--back-within", type=float, default=60, help="seconds that parts may take to be back")
    parser.add_argument("--like", type=Path, help="a VAR_DIR that lends its models; by default they are trained")
    parser.add_argument("--out", type=Path, default=DOCUMENT, help=OUT_HELP)
    parser.add_argument("--no-out", dest="out", action="store_const", const=None, help="only print")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
