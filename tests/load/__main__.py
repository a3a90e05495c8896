"""`python -m tests.load`: measure a stack of its own, print the tables, write docs/benchmarks.md."""

import datetime
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.load.document import Section, merged
from tests.load.machine import machine_facts, machine_table
from tests.load.measure import Plan
from tests.load.options import OPTIONS, command_of, parser
from tests.load.outside_parts import missing_parts
from tests.load.own_generator import NoCompiler, executable
from tests.load.report import Table
from tests.load.stack import Stack, running_stack, stack_like
from tests.load.suites import ALONE, ON_A_STACK, SUITES
from tests.load.surroundings import Watch

MACHINE = "machine"


def main() -> None:
    """Run the chosen suites; each is written as soon as it is measured. What is not as it is wanted ends it with 1."""
    options = parser().parse_args()
    try:
        executable()
    except NoCompiler as err:
        sys.exit(f"{err}")
    plan = Plan(**{option: getattr(options, option) for option in OPTIONS})
    chosen = options.suites or SUITES
    if missing := missing_parts(chosen):
        sys.exit("\n".join(missing))
    unmet = list[str]()
    write = partial(_write, options.out, unmet)
    write(Section(name=MACHINE, tables=[machine_table()]))
    if set(chosen) & set(ON_A_STACK):
        with _stack(options.like) as stack:
            _on_it(stack, chosen, plan, write)
    for name, measure in ALONE.items():
        if name in chosen:
            write(_section(name, plan, partial(measure, plan, _say)))
    if unmet:
        sys.exit(f"not as it is wanted: {', '.join(unmet)}")


@contextmanager
def _stack(like: Path | None) -> Iterator[Stack]:
    if like is not None:
        _say(f"starting a stack with the models of {like}")
        with stack_like(like) as stack:
            yield stack
        return

    with tempfile.TemporaryDirectory(prefix="galley-bench-") as folder:
        _say("starting a stack on an empty folder")
        with running_stack(Path(folder)) as stack:
            yield stack


def _on_it(stack: Stack, chosen: Collection[str], plan: Plan, write: Callable[[Section], None]) -> None:
    for name, measure in ON_A_STACK.items():
        if name in chosen:
            write(_section(name, plan, partial(measure, stack, plan, _say)))


def _section(name: str, plan: Plan, measure: Callable[[], list[Table]]) -> Section:
    watch = Watch()
    tables = measure()
    facts = machine_facts()
    footing = (
        f"Measured {datetime.datetime.now(datetime.UTC):%Y-%m-%d} by `{command_of(name, plan)}` on "
        f"{facts['Processor']}, {facts['Cores']} cores; {watch.seen()}."
    )
    return Section(name=name, tables=tables, footing=footing)


def _write(out: Path | None, unmet: list[str], section: Section) -> None:
    sys.stdout.write("".join(f"\n{table}\n" for table in section.tables) + f"\n{section.footing}\n")
    if out:
        out.write_text(merged(out.read_text("utf-8") if out.exists() else "", section), "utf-8")
        _say(f"wrote {section.name} into {out}")
    unmet += [table.title for table in section.tables if not table.is_met]


def _say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
