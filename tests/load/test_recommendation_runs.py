"""The figures of several runs are medians, and failures are never averaged away."""

from tests.load.example_reports import example_report, example_times
from tests.load.measure import Observed
from tests.load.recommendation_costs import processes_table, redis_table
from tests.load.recommendation_runs import FIGURES, Run, figures_table
from tests.load.redis_calls import RedisCalls
from tests.load.surroundings import Elsewhere


def run(*, good: int, p99: float = 8.0, failed: int = 0, web_s: float = 1.0) -> Run:
    report = example_report(
        offered=good + failed, good=good, hits=good // 2, seconds=2.0, cpu_s=0.02, good_ms=example_times(2.0, p99)
    )
    cpu_s = {"web worker": web_s, "redis": 0.5, "runner recommender/1": 0.5, "runner digits/1": 0.0}
    elsewhere = Elsewhere(load_average=0.0, others=0.125, stolen=0.0)
    redis = RedisCalls(reads=2 * good, calls={"evalsha": good, "get": 1}, microseconds={})
    return Run(observed=Observed(result=report, cpu_s=cpu_s, elsewhere=elsewhere), redis=redis)


RUNS = [run(good=1000, p99=4.0), run(good=3000, failed=2, p99=100.0), run(good=2000, failed=3)]


def test_figures_are_medians_and_failures_sums() -> None:
    table = figures_table({"way": RUNS}, FIGURES, title="", note="")

    figures = dict(zip(table.columns, table.rows[0], strict=True))
    assert figures["good/s"] == "1000"
    assert figures["p99 ms"] == "8.0"
    assert figures["p99 is"] == "4.0× p50"
    assert figures["hits"] == "50.0%"
    assert figures["others' CPU"] == "12.5%"
    assert figures["failed"] == "5"


def test_cpu_is_of_the_whole_stack_or_of_a_kind() -> None:
    assert run(good=1000).cpu_ms() == 2.0
    assert run(good=1000).cpu_ms("web worker") == 1.0
    assert run(good=1000).cpu_ms("runner") == 0.5
    assert run(good=500, failed=500).cpu_ms() == 2.0


def test_idle_kinds_and_rare_commands_are_left_out() -> None:
    processes = processes_table({"way": [run(good=1000)]})
    redis = redis_table({"way": [run(good=1000)]})

    assert [row[0] for row in processes.rows] == ["redis", "runner recommender/1", "web worker"]
    assert redis.rows == [["round trips", "2.00"], ["evalsha", "1.00"]]
