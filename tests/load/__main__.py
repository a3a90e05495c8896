"""`python -m tests.load`: measure a stack of its own, print the tables, write docs/benchmarks.md."""

import argparse
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from tests.load.alias_switch import alias_switch_tables
from tests.load.digits import digits_tables
from tests.load.hot_loading import hot_loading_tables
from tests.load.http_load import generators
from tests.load.images import IMAGES_MODEL, images_tables
from tests.load.machine import machine_facts
from tests.load.many_models import many_models_tables
from tests.load.measure import Plan
from tests.load.memory import memory_table
from tests.load.report import Table, document
from tests.load.stack import ROOT, Stack, running_stack
from tests.load.tensors import tensors_tables

SUITES = ("digits", "images", "tensors", "hot-loading", "alias-switch", "many-models")
# Brings a server with a memory budget of its own.
OWN_SERVER = "many-models"

TENSOR_SUITES = {"tensors": tensors_tables, "hot-loading": hot_loading_tables, "alias-switch": alias_switch_tables}


def main() -> None:
    """Run the chosen suites."""
    options = _parser().parse_args()
    plan = Plan(seconds=options.seconds, runs=options.runs)
    suites = set(options.suites or SUITES)
    tables = _on_a_stack(suites, plan) if suites - {OWN_SERVER} else []
    if OWN_SERVER in suites:
        tables += many_models_tables(plan, _say)

    sys.stdout.write("".join(f"\n{table}\n" for table in tables))
    if options.out:
        options.out.write_text(document(tables, command="make bench", facts=machine_facts()), "utf-8")
        _say(f"wrote {options.out}")


def _on_a_stack(suites: Collection[str], plan: Plan) -> list[Table]:
    with tempfile.TemporaryDirectory(prefix="galley-bench-") as folder:
        _say("starting a stack on an empty folder")
        with running_stack(Path(folder)) as stack:
            return _measure(stack, suites, plan)


def _measure(stack: Stack, suites: Collection[str], plan: Plan) -> list[Table]:
    tables = []
    if "digits" in suites:
        tables += digits_tables(stack, generators(), plan, _say)
        tables.append(memory_table(stack.facts(), moment="of the default stack, after load"))
    if "images" in suites:
        _say(f"importing {IMAGES_MODEL} with random weights")
        stack.flask("models", "import", "torchvision", IMAGES_MODEL, "--weights", "none")
        stack.wait_for_model(IMAGES_MODEL)
        tables += images_tables(stack, generators()[0], plan, _say)
        tables.append(memory_table(stack.facts(), moment=f"of the stack with {IMAGES_MODEL}, after load"))
    for name, measure_suite in TENSOR_SUITES.items():
        if name in suites:
            tables += measure_suite(stack, generators()[0], plan, _say)
    return tables


def _suite(name: str) -> str:
    # NOTE: not `choices`: before Python 3.12 argparse then refuses to be called without any.
    if name not in SUITES:
        raise argparse.ArgumentTypeError(f"there is {', '.join(SUITES)}")
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("suites", nargs="*", type=_suite, help=f"of {', '.join(SUITES)}; all by default")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a run")
    parser.add_argument("--runs", type=int, default=3, help="runs per figure, of which the median is taken")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/benchmarks.md", help="the Markdown file to write")
    parser.add_argument("--no-out", dest="out", action="store_const", const=None, help="only print")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
