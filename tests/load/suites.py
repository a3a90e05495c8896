"""The suites: what each is called, and how it is measured. They run in this order."""

import shutil
from collections.abc import Callable, Mapping

from tests.load.alias_switch import alias_switch_tables
from tests.load.digits import digits_tables
from tests.load.edge import edge_tables
from tests.load.generators_compared import generators_tables
from tests.load.hot_loading import hot_loading_tables
from tests.load.http_load import Generator, OwnGenerator, Wrk, generators
from tests.load.images import images_tables
from tests.load.jobs import jobs_tables
from tests.load.many_models import many_models_tables
from tests.load.measure import Plan, Progress
from tests.load.overload import overload_tables
from tests.load.recommendations import recommendations_tables
from tests.load.report import Table
from tests.load.soak import soak_tables
from tests.load.stack import Stack
from tests.load.streams import streams_tables
from tests.load.tensors import tensors_tables
from tests.load.watching import watching_tables
from tests.load.web_memory import memory_tables

OnStack = Callable[[Stack, Plan, Progress], list[Table]]
Alone = Callable[[Plan, Progress], list[Table]]


def _with_own_generator(measure: Callable[[Stack, Generator, Plan, Progress], list[Table]]) -> OnStack:
    return lambda stack, plan, report: measure(stack, OwnGenerator(), plan, report)


def _with_a_generator_for_all(measure: Callable[[Stack, Generator, Plan, Progress], list[Table]]) -> OnStack:
    """Measure with wrk where it is installed: other servers may answer in chunks, which the own one does not read."""
    return lambda stack, plan, report: measure(stack, Wrk() if shutil.which("wrk") else OwnGenerator(), plan, report)


def _generators(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    return generators_tables(stack, generators(), plan, report)


# One stack for all of them. The first ones meet it with nothing but the demo models.
ON_A_STACK: Mapping[str, OnStack] = {
    "recommendations": recommendations_tables,
    "overload": overload_tables,
    "jobs": jobs_tables,
    "streams": streams_tables,
    "memory": memory_tables,
    "edge": edge_tables,
    "watching": watching_tables,
    "soak": soak_tables,
    "generators": _generators,
    "digits": _with_own_generator(digits_tables),
    "images": _with_own_generator(images_tables),
    "tensors": _with_a_generator_for_all(tensors_tables),
    "hot-loading": _with_own_generator(hot_loading_tables),
    "alias-switch": _with_own_generator(alias_switch_tables),
}
# Bring a server of their own.
ALONE: Mapping[str, Alone] = {"many-models": many_models_tables}
SUITES = (*ON_A_STACK, *ALONE)
