"""Jobs over rows in the test's own process: models published, inputs stored, and what came of each row."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import orjson

from app.db.repositories.jobs import JobFacts, JobRepository
from app.errors import RedisUnavailable
from app.infra.job_files import INPUT
from app.infra.task_names import QueueName, TaskName
from app.scenarios.job_inputs import InputFormat
from app.services.batch_jobs import BatchJobs, JobSubmission
from app.services.chunk_queue import ChunkQueue, HeldChunk
from app.services.jobs import JobService
from model_store.manifest import Measured, MeasuredBatch
from tests.factories.database import FragileDatabase, make_database
from tests.factories.engines import make_engine
from tests.factories.fraud_jobs import publish_ledger
from tests.factories.models import publish_model
from tests.factories.ranking import RankingWorld, make_world, publish_ranking
from tests.factories.settings import make_settings
from tests.factories.tensor_models import Doubles, doubles_manifest
from tests.factories.texts import make_classifier, text_manifest
from tests.fakes.clock import FakeClock
from tests.fakes.sequences import FakeSequenceStore
from workers.batch.planning import plan_job
from workers.batch.running import run_next
from workers.bootstrap import WorkerParts, assemble

MEASURED = Measured(
    load_s=0.1,
    memory_bytes=1000,
    is_batch_safe=True,
    batches=[MeasuredBatch(batch_size=1, seconds=0.001), MeasuredBatch(batch_size=4, seconds=0.002)],
)
"""Four rows at once are best, of which 2000 take a second."""

MODELS = {
    "recommendations": "recommender",
    "images": "colours",
    "text": "text",
    "fraud": "fraud",
    "tensor": "doubles",
}


class Broker:
    """Stands for Celery: keeps what is sent, or is away."""

    def __init__(self) -> None:
        self.sent: list[tuple[TaskName, tuple[str, ...]]] = []
        self.is_away = False

    def __call__(self, task: TaskName, *args: str) -> None:
        """Take a task."""
        if self.is_away:
            raise RedisUnavailable("The broker does not answer.")
        self.sent.append((task, args))


class JobRuns:
    """A database, a store with a model for each kind of jobs, and a worker of them, on a clock that a test moves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.broker = Broker()
        self.database: FragileDatabase = make_database(folder)
        self.world: RankingWorld = make_world()
        # Without a memory limit: this is the process of all tests, and holds what they left.
        own = {"redis_url": f"unix://{folder}/no-redis.sock", "job_disk_reserve": 0, "job_memory_limit": 0}
        parts = assemble(make_settings(folder, **own))
        parts.database.close()
        clock, database = self.clock.clock(), self.database
        self.parts: WorkerParts = replace(
            parts,
            database=database,
            jobs=JobService(database, self.broker, clock=clock),
            batch_jobs=BatchJobs(database, self.broker, most_open=1000, clock=clock),
            chunks=ChunkQueue(database, lease_s=parts.settings.job_lease_s, clock=clock),
        )
        self.sequences = FakeSequenceStore()
        self.engine = make_engine(parts.store, self.sequences, most_bytes=parts.settings.job_memory)
        self._publish()

    def close(self) -> None:
        """Give back all connections."""
        self.parts.close()

    def post(
        self, data: bytes, kind: str = "recommendations", input_format: InputFormat = InputFormat.NDJSON, **values: Any
    ) -> str:
        """Submit a job whose input this is; return its id. `values` are other members of the submission."""
        fields: dict[str, Any] = {
            "kind": kind,
            "client_id": "checkout",
            "model_name": MODELS[kind],
            "version": 1,
            "queue": QueueName.BATCH,
            "input_format": input_format.value,
            "input_bytes": len(data),
            **values,
        }
        job = JobSubmission(**fields)
        with self.parts.job_files.receiving(job.id) as folder:
            path = folder / INPUT
            path.write_bytes(data)
            self.parts.job_files.take_in(job.id, INPUT, path)
        return self.parts.batch_jobs.submit(job)[0].id

    def plan(self, job_id: str) -> None:
        """Plan a job."""
        plan_job(self.parts, self.engine, job_id)

    def planned(
        self, data: bytes, kind: str = "recommendations", input_format: InputFormat = InputFormat.NDJSON, **values: Any
    ) -> str:
        """Submit a job and plan it; return its id."""
        job_id = self.post(data, kind, input_format, **values)
        self.plan(job_id)
        return job_id

    def run_all(self, queue: QueueName = QueueName.BATCH) -> int:
        """Run chunks until there is none to take; return how many there were."""
        count = 0
        while self.parts.chunks.count_free(queue):
            run_next(self.parts, self.engine, queue)
            count += 1
        return count

    def take(self) -> HeldChunk:
        """Claim the next chunk, which must be there."""
        held = self.parts.chunks.claim(QueueName.BATCH)
        assert held is not None
        return held

    def job(self, job_id: str) -> JobFacts:
        """Return a job as it is."""
        return self.parts.jobs.find(job_id)

    def output(self, job_id: str, which: str = "results") -> bytes:
        """Return what was written of a job's rows, in their order: `results` or `errors`."""
        chunks = self.parts.batch_jobs.written_chunks(self.job(job_id))
        return b"".join(self.read(job_id, getattr(chunk, which)) for chunk in chunks if getattr(chunk, which))

    def lines(self, job_id: str, which: str = "results") -> list[dict[str, Any]]:
        """Return the same, line by line."""
        return [orjson.loads(line) for line in self.output(job_id, which).splitlines()]

    def read(self, job_id: str, name: str) -> bytes:
        """Return the bytes of one of a job's files."""
        with self.parts.job_files.reader(job_id, name) as file:
            return file.read()

    def names(self, job_id: str) -> list[str]:
        """Return the names of all files that were written for a job, whoever did."""
        return [name for folder in ("results", "errors") for name in self.parts.job_files.names(job_id, folder)]

    def lose_lease(self, job_id: str) -> None:
        """Let the lease of a job that is being planned end."""
        with self.database.write() as session:
            JobRepository(session).change_held(self.job(job_id), lease_until=self.clock.clock().utcnow())
        self.clock.advance(1)

    def publish_fraud(self) -> None:
        """Publish the model of the kind `fraud`, which few tests need."""
        publish_ledger(self.parts.store, self.folder, measured=MEASURED)
        self.parts.releases.adopt_store()

    def publish_text(self) -> None:
        """Publish the model of the kind `text`, likewise."""
        manifest = text_manifest(measured=MEASURED)
        publish_model(self.parts.store, self.folder, make_classifier(), name="text", manifest=manifest, samples=None)
        self.parts.releases.adopt_store()

    def _publish(self) -> None:
        store = self.parts.store
        publish_ranking(store, self.folder, self.world, manifest=self.world.manifest(measured=MEASURED))
        publish_model(store, self.folder)
        doubles = doubles_manifest(measured=MEASURED)
        publish_model(store, self.folder, Doubles(), name="doubles", manifest=doubles, samples=None)
        self.parts.releases.adopt_store()


@contextmanager
def job_runs(folder: Path) -> Iterator[JobRuns]:
    """Make them in a folder, and close them at the end."""
    runs = JobRuns(folder)
    try:
        yield runs
    finally:
        runs.close()


def bodies(users: Iterable[int], **members: Any) -> bytes:
    """Return NDJSON that asks for each user."""
    return b"".join(orjson.dumps({"user_id": user, **members}) + b"\n" for user in users)


@contextmanager
def waiting_tickets(runs: JobRuns) -> Iterator[mock.Mock]:
    """Let the broker say how many tickets wait in each list: its return value, none at first."""
    with mock.patch.object(runs.parts.state_redis, "llen", return_value=0) as llen:
        yield llen
