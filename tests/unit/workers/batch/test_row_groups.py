"""Rows are run in groups that depend on nothing but the rows, and each has its own answer."""

from collections.abc import Iterator

import orjson
import pytest

from app.errors import RedisUnavailable, RowTooLarge, WrongTask
from app.scenarios.job_inputs import InputFormat, InputRow
from app.scenarios.job_kinds import find_kind
from tests.factories.fraud_jobs import payment_rows, scored_alone, told_by
from tests.factories.job_runs import MODELS, JobRuns
from tests.factories.ranking import assert_same_answer
from workers.batch import row_groups
from workers.batch.engine import LoadedVersion
from workers.batch.row_groups import AnsweredGroup, RowRunner


def version_of(runs: JobRuns, name: str) -> LoadedVersion:
    facts = runs.parts.releases.find(name)
    return runs.engine.load(facts.ref, facts.digest)


def runner(runs: JobRuns, kind: str = "recommendations", batch_rows: int = 4) -> RowRunner:
    return RowRunner(find_kind(kind), version_of(runs, MODELS[kind]), parameters={}, batch_rows=batch_rows)


def rows(contents: list[bytes]) -> Iterator[InputRow]:
    return (InputRow(number, content) for number, content in enumerate(contents, 1))


def users(*lists: list[int]) -> list[bytes]:
    return [orjson.dumps({"user_ids": each}) for each in lists]


def answers(runs: JobRuns, contents: list[bytes], **options: int) -> list[AnsweredGroup]:
    return list(runner(runs, **options).answers(rows(contents), InputFormat.NDJSON))  # type: ignore[arg-type]


def sizes(groups: list[AnsweredGroup]) -> list[int]:
    return [len(group.results) + len(group.errors) for group in groups]


def test_group_ends_with_the_row_that_fills_it(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_groups, "MOST_GROUP_ROWS", 5)
    groups = answers(runs, [*users([1, 2], [3], [4, 5, 6], [7], [8]), b"?", *users([9, 10])])

    assert sizes(groups) == [3, 4]


def test_group_ends_with_the_row_that_is_too_heavy(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_groups, "MOST_GROUP_BYTES", 20)

    assert sizes(answers(runs, users([1], [2], [3, 4, 5], [6], [7]))) == [3, 2]


def test_group_is_one_batch_where_tensors_are_large(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_groups, "MOST_GROUP_TENSOR_BYTES", 100)

    assert sizes(answers(runs, users(*([user] for user in range(9))))) == [4, 4, 1]


def test_group_is_one_batch_where_nobody_knows_how_large_tensors_are(runs: JobRuns) -> None:
    row = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [3]}]}
    groups = answers(runs, [orjson.dumps(row)] * 6, kind="tensor")  # type: ignore[arg-type]

    assert sizes(groups) == [4, 2]


def test_answers_of_several_users_stay_together(runs: JobRuns) -> None:
    known = [int(user) for user in runs.world.users]
    (group,) = answers(runs, users(known[:3], [known[3]], known[4:10]))

    for line, asked in zip(group.results, (known[:3], [known[3]], known[4:10]), strict=True):
        answer = orjson.loads(line)
        for result, user in zip(answer["results"], asked, strict=True):
            assert_same_answer(result, runs.world.answer(user))


def test_rows_that_could_not_be_read_are_bad_ones_in_their_place(runs: JobRuns) -> None:
    asked = [InputRow(1, users([1])[0]), InputRow(2, RowTooLarge(7), "a.png"), InputRow(3, b"?")]
    (group,) = runner(runs).answers(asked, InputFormat.NDJSON)

    assert [orjson.loads(line)["row"] for line in group.results] == [1]
    bad = [(line["row"], line.get("name"), line["code"]) for line in map(orjson.loads, group.errors)]
    assert bad == [(2, "a.png", "row_too_large"), (3, None, "unreadable_body")]


def test_answers_name_the_variant_that_a_route_chose(runs: JobRuns) -> None:
    kind, version = find_kind("recommendations"), version_of(runs, "recommender")
    variants = []
    for variant in (None, "blue"):
        chosen = RowRunner(kind, version, parameters={}, batch_rows=4, variant=variant)
        (group,) = chosen.answers(rows(users([1])), InputFormat.NDJSON)
        variants.append(orjson.loads(group.results[0])["model"]["variant"])

    assert variants == [None, "blue"]


def test_own_timeout_of_a_row_counts_for_nothing(runs: JobRuns) -> None:
    """Whether it had passed would be another answer each time."""
    row = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [3]}], "parameters": {"timeout": 1}}
    (group,) = answers(runs, [orjson.dumps(row)], kind="tensor")  # type: ignore[arg-type]

    assert (len(group.results), group.errors) == (1, [])


def test_payments_meet_what_those_before_left(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_groups, "MOST_GROUP_ROWS", 50)
    runs.publish_fraud()
    lines = payment_rows(180).splitlines()
    groups = answers(runs, lines, kind="fraud")  # type: ignore[arg-type]

    results = [orjson.loads(line) for group in groups for line in group.results]
    assert told_by(results) == scored_alone(180)
    errors = [orjson.loads(line)["code"] for group in groups for line in group.errors]
    assert sorted(errors) == ["event_too_late"] * 3 + ["unreadable_body"] * 4
    # A trip to read and one to move for each group, however often an account comes in it.
    assert runs.sequences.trips == ["read", "move"] * len(groups)


def bad(line: bytes) -> tuple[int, str]:
    told = orjson.loads(line)
    return told["row"], told["code"]


def test_payments_that_were_scored_before_are_answered_alike_and_move_nothing(runs: JobRuns) -> None:
    runs.publish_fraud()
    lines = payment_rows(180).splitlines()
    (first,) = answers(runs, lines, kind="fraud")  # type: ignore[arg-type]
    states = dict(runs.sequences.states)
    (again,) = answers(runs, lines, kind="fraud")  # type: ignore[arg-type]

    assert (again.results, runs.sequences.states) == (first.results, states)
    # How late a payment is depends on what its account did since; that it is too late does not.
    assert [bad(line) for line in again.errors] == [bad(line) for line in first.errors]


@pytest.mark.parametrize("trip", ["read", "move"])
def test_rows_are_not_to_blame_when_what_they_remember_is_away(runs: JobRuns, trip: str) -> None:
    runs.publish_fraud()
    runs.sequences.is_away_for.add(trip)

    with pytest.raises(RedisUnavailable):
        answers(runs, payment_rows(20).splitlines(), kind="fraud")  # type: ignore[arg-type]


def test_model_must_do_what_the_kind_is_about(runs: JobRuns) -> None:
    with pytest.raises(WrongTask):
        RowRunner(find_kind("images"), version_of(runs, "recommender"), parameters={}, batch_rows=1)
