"""Jobs that score payments on real Celery workers that are killed, frozen and cut off: each payment counts once.

What is told of a payment says how its account was found, so it is another wherever one counted twice, not at all or in
another order. It is held against a reference that scores one payment after the other, and against what an undisturbed
job left of the accounts.
"""

import random
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from app.db.repositories.job_chunks import ChunkState
from app.db.repositories.jobs import JobState
from model_store.manifest import Measured, MeasuredBatch
from tests.factories.fraud_jobs import ACCOUNTS, payment_rows, publish_ledger, scored_alone, told_by
from tests.factories.job_stand import ENDED_WITHIN_S, PATIENT_S, JobStand, standing, tensor_rows, working
from tests.factories.redis_server import frozen
from tests.factories.waiting import wait_until
from workers.runner.sequences import ANSWER_PREFIX, STATE_PREFIX

pytestmark = pytest.mark.long

SEEDS = range(2)
MET_WITHIN_S = 20.0
ROWS = 3600
# So a chunk has some six hundred rows: three groups, each of which moves its accounts at once.
MEASURED = Measured(
    load_s=0.1,
    memory_bytes=1000,
    is_batch_safe=True,
    batches=[MeasuredBatch(batch_size=1, seconds=0.01), MeasuredBatch(batch_size=4, seconds=0.02)],
)
Accounts = dict[bytes, bytes]


def publish(stand: JobStand) -> JobStand:
    publish_ledger(stand.parts.store, stand.folder, measured=MEASURED)
    stand.parts.releases.adopt_store()
    return stand


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[JobStand]:
    with standing(tmp_path) as stand:
        yield publish(stand)


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[JobStand]:
    """A stand on which no lease is lost but by its worker's end."""
    with standing(tmp_path, lease_s=PATIENT_S) as stand:
        yield publish(stand)


@pytest.fixture(scope="module")
def undisturbed() -> tuple[bytes, Accounts]:
    """The results of a job that nobody disturbs, and the accounts as it left them."""
    with tempfile.TemporaryDirectory(prefix="galley-fraud-") as name, standing(Path(name)) as stand:
        job_id = post(publish(stand))
        stand.run_here(job_id)
        return stand.output(job_id)[0], accounts(stand)


def post(stand: JobStand) -> str:
    return stand.post(payment_rows(ROWS), kind="fraud", model_name="fraud", is_ordered=True)


def accounts(stand: JobStand) -> Accounts:
    """Return what is remembered of each account, and how often it was moved."""
    keys = sorted(stand.parts.state_redis.keys(f"{STATE_PREFIX}*"))
    return dict(zip(keys, stand.parts.state_redis.mget(keys), strict=True))


def count_moved(stand: JobStand) -> int:
    """Return how many payments moved their account so far."""
    return len(stand.parts.state_redis.keys(f"{ANSWER_PREFIX}*"))


def wait_for_moves(stand: JobStand, count: int) -> None:
    """Wait until so many payments moved their accounts: the chunk that they are of is not done then, or just so."""
    wait_until(lambda: stand.dispatch() or count_moved(stand) >= count, timeout_s=ENDED_WITHIN_S)


def ended_well(stand: JobStand, job_id: str, undisturbed: tuple[bytes, Accounts]) -> None:
    """Hold a job, and the accounts, against the reference and what an undisturbed job left."""
    job = stand.wait_for_end(job_id)
    reference = scored_alone(ROWS)
    assert (job.state, job.error, job.done, job.failed) == (JobState.SUCCEEDED, None, ROWS, ROWS - len(reference))
    results, errors = stand.output(job_id)
    assert told_by(map(orjson.loads, results.splitlines())) == reference
    assert {orjson.loads(line)["row"] for line in errors.splitlines()} == {*range(1, ROWS + 1)} - {*reference}
    assert (results, accounts(stand)) == undisturbed


def test_undisturbed_job_scores_as_if_payments_came_one_by_one(undisturbed: tuple[bytes, Accounts]) -> None:
    results, left = undisturbed

    assert told_by(map(orjson.loads, results.splitlines())) == scored_alone(ROWS)
    assert len(left) == ACCOUNTS


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_processes_move_no_account_twice(
    stand: JobStand, undisturbed: tuple[bytes, Accounts], seed: int
) -> None:
    with working(stand) as worker:
        job_id, beside = post(stand), stand.post(tensor_rows(), client_id="other")
        for count in sorted(random.Random(seed).sample(range(1, ROWS * 3 // 4), 4)):
            wait_for_moves(stand, count)
            for process in worker.pool():
                process.kill()
        ended_well(stand, job_id, undisturbed)
        assert stand.wait_for_end(beside).state == JobState.SUCCEEDED

    chunks = stand.chunks(job_id)
    ended = [chunk.finished_at for chunk in chunks if chunk.finished_at is not None]
    assert (len(chunks), ended) == (7, sorted(ended))
    assert any(chunk.losses for chunk in chunks)


def test_what_was_moved_before_everything_stopped_is_not_moved_again(
    stand: JobStand, undisturbed: tuple[bytes, Accounts]
) -> None:
    job_id = post(stand)
    for count in sorted(random.Random(3).sample(range(1, ROWS * 3 // 4), 2)):
        with working(stand) as worker:
            wait_for_moves(stand, count)
            worker.kill()

    with working(stand):
        ended_well(stand, job_id, undisturbed)
    assert any(chunk.losses for chunk in stand.chunks(job_id))


def test_worker_that_comes_back_when_others_went_on_moves_nothing(
    stand: JobStand, undisturbed: tuple[bytes, Accounts]
) -> None:
    with working(stand, pool=1) as worker:
        job_id = post(stand)
        wait_for_moves(stand, 700)
        (frozen,) = worker.pool()
        stand.freeze_when(frozen, lambda: any(chunk.state == ChunkState.RUNNING for chunk in stand.chunks(job_id)))
        # Now this process is the other worker.
        wait_until(lambda: stand.run_chunks() or stand.job(job_id).state.is_final, timeout_s=ENDED_WITHIN_S)
        frozen.resume()
        wait_until(lambda: '"result":"lost"' in worker.log())

        ended_well(stand, job_id, undisturbed)
    assert any(chunk.losses for chunk in stand.chunks(job_id))


def test_job_waits_while_redis_hangs_and_goes_on(patient: JobStand, undisturbed: tuple[bytes, Accounts]) -> None:
    with working(patient):
        job_id = post(patient)
        assert any(waits_while_frozen(patient, job_id, moved) for moved in range(300, ROWS, 600))
        ended_well(patient, job_id, undisturbed)


def waits_while_frozen(stand: JobStand, job_id: str, moved: int) -> bool:
    """Freeze Redis once so many accounts were moved; say whether the job met it, as it does in the middle of a chunk.

    Between two chunks nobody works who could meet it.
    """
    wait_for_moves(stand, moved)
    with frozen(stand.server), suppress(TimeoutError):
        wait_until(lambda: stand.job(job_id).stage == "waits: redis_unavailable", timeout_s=MET_WITHIN_S)
        return True
    return False
