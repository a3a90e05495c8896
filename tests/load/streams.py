"""Streams: payments scored over sockets, thousands of idle ones beside them, and a state that does not grow."""

from tests.load.measure import Plan, Progress
from tests.load.report import Table
from tests.load.stack import Stack
from tests.load.stream_growth import growth_table
from tests.load.stream_idle import idle_table
from tests.load.stream_rates import rates_tables


def streams_tables(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    """Measure all of it."""
    return [
        *rates_tables(stack, plan, report),
        idle_table(stack, plan, report),
        growth_table(stack, plan, report),
    ]
