"""The rows of chunks are answered, each once, in their order, and the same at each attempt."""

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from app.db.repositories.job_chunks import ChunkDraft
from app.db.repositories.jobs import JobState
from app.infra.task_names import QueueName
from app.scenarios.job_inputs import InputFormat
from app.services.lease_renewal import Renewal
from model_store.model_ref import ModelRef
from tests.factories.fraud_jobs import payment_rows, scored_alone, told_by
from tests.factories.job_runs import JobRuns, bodies
from tests.factories.pictures import plain_picture
from tests.factories.ranking import UNKNOWN_USER, assert_same_answer
from workers.batch import chunk_sizes
from workers.batch.chunk_work import ChunkWork
from workers.batch.running import run_next

USERS = 11_000
"""As many make three chunks."""


def test_every_row_of_a_job_is_answered_once_and_in_order(runs: JobRuns) -> None:
    users = [int(user) for user in runs.world.users] + [UNKNOWN_USER]
    asked = [users[i % len(users)] for i in range(USERS)]
    job_id = runs.planned(bodies(asked, k=3), variant="blue", route_revision=7)

    assert runs.run_all() == 3
    lines = runs.lines(job_id)
    assert [line["row"] for line in lines] == list(range(1, USERS + 1))
    for user, line in list(zip(asked, lines, strict=True))[:: USERS // 50]:
        line.pop("row")
        assert line["model"] == {"name": "recommender", "version": 1, "variant": "blue"}
        assert_same_answer(line, runs.world.answer(user, 3))
    job = runs.job(job_id)
    assert (job.state, job.done, job.failed, job.total) == (JobState.SUCCEEDED, USERS, 0, USERS)
    assert runs.lines(job_id, "errors") == []


def test_bad_rows_are_set_aside_and_the_others_go_on(runs: JobRuns) -> None:
    data = bodies([1, 2]) + b'{"user_id": "x"}\nno json\n' + bodies([3]) + b'"\xff"\n' + bodies([4], k=0)
    job_id = runs.planned(data, max_error_share=0.9)
    runs.run_all()

    assert [line["row"] for line in runs.lines(job_id)] == [1, 2, 5]
    errors = [(line["row"], line["code"]) for line in runs.lines(job_id, "errors")]
    assert errors == [
        (3, "validation_failed"),
        (4, "unreadable_body"),
        (6, "unreadable_body"),
        (7, "validation_failed"),
    ]
    assert (runs.job(job_id).done, runs.job(job_id).failed) == (7, 4)


def test_of_pictures_the_broken_ones_fail_alone(runs: JobRuns) -> None:
    archive = BytesIO()
    with ZipFile(archive, "w") as zipped:
        for i in range(20):
            zipped.writestr(f"{i:02}.png", b"no picture" if i % 7 == 3 else plain_picture((250, i, 0)))
    values = {"parameters": {"top_k": 1}, "max_error_share": 1}
    job_id = runs.planned(archive.getvalue(), "images", InputFormat.ZIP, **values)
    runs.run_all()

    lines = runs.lines(job_id)
    assert [line["name"] for line in lines] == [f"{i:02}.png" for i in range(20) if i % 7 != 3]
    assert {label["label"] for line in lines for label in line["results"][0]["labels"]} == {"red"}
    assert [(line["row"], line["name"]) for line in runs.lines(job_id, "errors")] == [
        (4, "03.png"), (11, "10.png"), (18, "17.png"),
    ]  # fmt: skip


def test_tensors_of_any_model_are_answered(runs: JobRuns) -> None:
    data = b"".join(b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[%d,1]}]}\n' % i for i in range(50))
    job_id = runs.planned(data, kind="tensor")
    runs.run_all()

    outputs = [{each["name"]: each["data"] for each in line["outputs"]} for line in runs.lines(job_id)]
    assert outputs == [{"twice": [2.0 * i, 2.0], "sum": [i + 1.0]} for i in range(50)]


def test_request_without_a_plan_is_run(runs: JobRuns) -> None:
    chunks = [ChunkDraft(first_row=1, row_count=1, place={})]
    job_id = runs.post(plain_picture((0, 0, 250)), "images", InputFormat.RAW, chunks=chunks)
    runs.run_all()

    assert runs.lines(job_id)[0]["results"][0]["labels"][0]["label"] == "blue"


def test_chunk_that_is_run_again_gives_the_same_bytes_and_counts_once(runs: JobRuns) -> None:
    job_id = runs.planned(bodies(range(1000)) + b"?\n" + bodies(range(200)))
    lost = runs.take()
    ChunkWork(runs.parts, runs.engine, lost, Renewal()).compute()
    runs.clock.advance(runs.parts.settings.job_lease_s + 1)
    runs.run_all()

    for folder in ("results", "errors"):
        first, second = (runs.read(job_id, f"{folder}/000000.{attempt}.ndjson") for attempt in (1, 2))
        assert first == second == runs.output(job_id, folder)
    assert (runs.job(job_id).done, runs.job(job_id).failed) == (1201, 1)


def test_damaged_version_ends_the_job(runs: JobRuns) -> None:
    job_id = runs.planned(bodies(range(10)))
    Path(runs.parts.store.path("recommender/1/model.pt")).write_bytes(b"garbage")
    run_next(runs.parts, runs.engine, QueueName.BATCH)

    assert (runs.job(job_id).error or {})["code"] == "digest_mismatch"
    assert runs.engine.held == []


def test_model_of_another_task_ends_the_job(runs: JobRuns) -> None:
    job_id = runs.planned(bodies(range(10)), model_name="colours")
    run_next(runs.parts, runs.engine, QueueName.BATCH)

    assert (runs.job(job_id).error or {})["code"] == "wrong_task"


def test_version_is_loaded_once_for_all_chunks(runs: JobRuns) -> None:
    runs.planned(bodies(range(USERS)))
    runs.run_all()

    assert runs.engine.held == [ModelRef("recommender", 1)]


def test_payments_of_all_chunks_meet_their_account_in_order(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_sizes, "MOST_ROWS", 400)
    runs.publish_fraud()
    job_id = runs.planned(payment_rows(1000), kind="fraud", is_ordered=True)

    assert runs.run_all() == 3
    assert told_by(runs.lines(job_id)) == scored_alone(1000)
    job = runs.job(job_id)
    assert (job.state, job.done, job.failed) == (JobState.SUCCEEDED, 1000, 1000 - len(scored_alone(1000)))


def test_texts_are_answered_as_many_labels_as_the_job_wants(runs: JobRuns) -> None:
    runs.publish_text()
    data = b'{"text":"where is it?"}\n{"texts":["a","b"]}\n{"text":7}\n'
    job_id = runs.planned(data, kind="text", parameters={"top_k": 2}, max_error_share=0.5)
    runs.run_all()

    results = [line["results"] for line in runs.lines(job_id)]
    assert [[len(result["labels"]) for result in each] for each in results] == [[2], [2, 2]]
    assert [(line["row"], line["code"]) for line in runs.lines(job_id, "errors")] == [(3, "validation_failed")]
