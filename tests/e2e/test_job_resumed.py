"""A job goes on where it was when all of its stack was killed, and is none the worse for it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import httpx
import psutil
import pytest

from app.db.repositories.job_chunks import ChunkFacts, ChunkState, JobChunkRepository
from app.db.session import Database
from tests.e2e.test_endings import alive
from tests.factories.stack import SECOND_START_S, Stack, is_ready, running_stack
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

JOBS = "/api/v1/jobs"
# Five chunks at least.
ROWS = 50_000
DONE = 1
LEASE_S = "5"
ENDED_WITHIN_S = 180.0


def post(client: httpx.Client) -> str:
    """Upload rows of users known and unknown, each fiftieth no row; return the job's path."""
    lines = [f'{{"user_id":{number},"k":3}}\n' if number % 50 else "no row\n" for number in range(1, ROWS + 1)]
    answer = client.post(
        JOBS, data={"kind": "recommendations"}, files={"input": ("rows.ndjson", "".join(lines).encode())}
    )
    assert answer.status_code == 202, answer.text
    return f"{JOBS}/{answer.json()['id']}"


def output(client: httpx.Client, path: str) -> tuple[bytes, bytes]:
    """Wait for the end of a job and return its results and errors."""
    answers: list[httpx.Response] = []

    def has_ended() -> bool:
        answers.append(client.get(path))
        # Who polls as fast as this is told to wait, now and then.
        return answers[-1].status_code == 200 and answers[-1].json()["finished_at"] is not None

    wait_until(has_ended, timeout_s=ENDED_WITHIN_S)
    job = answers[-1].json()
    assert job["state"] == "succeeded", job
    assert job["progress"] | {"done": ROWS, "failed": ROWS // 50, "total": ROWS} == job["progress"]
    return client.get(f"{path}/results").content, client.get(f"{path}/errors").content


@contextmanager
def database_of(stack: Stack) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{stack.var_dir}/galley.db")) as database:
        yield database


def chunks(stack: Stack, path: str) -> list[ChunkFacts]:
    """Return the chunks of a job, as SQL has them."""
    with database_of(stack) as database, database.read() as session:
        return JobChunkRepository(session).of_job(path.rpartition("/")[2])


def done(stack: Stack, path: str) -> list[ChunkFacts]:
    return [chunk for chunk in chunks(stack, path) if chunk.state == ChunkState.DONE]


def kill_all(stack: Stack) -> None:
    """Kill every process of a stack at once, as the end of its machine would."""
    processes = stack.processes()
    for process in processes:
        # Others end by themselves with those.
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert stack.launcher is not None
    stack.launcher.wait()
    assert alive(processes, 60) == []


def test_job_of_a_stack_that_was_killed_goes_on_and_nothing_done_is_done_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_LEASE_S", LEASE_S)
    with running_stack(like=stack) as other:
        with other.client() as client:
            path = post(client)
        wait_until(lambda: len(done(other, path)) >= DONE, timeout_s=ENDED_WITHIN_S)
        kill_all(other)
        before, count = done(other, path), len(chunks(other, path))
        assert DONE <= len(before) < count

        other.start()
        wait_until(lambda: is_ready(other), timeout_s=SECOND_START_S)
        with other.client() as client:
            resumed = output(client, path)
            assert [chunk for chunk in before if chunk not in done(other, path)] == []
            assert len(done(other, path)) == count
            assert resumed == output(client, post(client))
