"""Jobs over rows: how fast they are, what they cost, and what others feel of them."""

from tests.load.heavy_neighbours import heavy_neighbours_table
from tests.load.job_costs import costs_tables
from tests.load.job_neighbours import neighbours_table
from tests.load.job_throughput import throughput_table
from tests.load.measure import Plan, Progress
from tests.load.report import Table
from tests.load.stack import Stack


def jobs_tables(stack: Stack, plan: Plan, report: Progress) -> list[Table]:
    """Measure all of it."""
    return [
        throughput_table(stack, plan, report),
        neighbours_table(stack, plan, report),
        heavy_neighbours_table(stack, plan, report),
        *costs_tables(stack, plan, report),
    ]
