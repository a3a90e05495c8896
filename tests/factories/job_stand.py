"""Jobs over rows on real Celery workers, Redis and files: of a model that takes its time, so that faults hit work."""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
import torch
from torch import Tensor, nn

from app.db.repositories.job_chunks import ChunkFacts, ChunkState, JobChunkRepository
from app.db.repositories.jobs import JobFacts, JobRepository
from app.errors import RedisUnavailable
from app.infra.clock import Clock
from app.infra.job_files import INPUT
from app.infra.task_names import QueueName, TaskName
from app.scenarios.job_inputs import InputFormat
from app.services.batch_jobs import JobSubmission
from model_store.manifest import Measured, MeasuredBatch
from tests.factories.celery_worker import CeleryWorker, running_worker
from tests.factories.database import migrate
from tests.factories.models import colour_manifest, publish_model
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import make_settings
from tests.factories.tensor_models import doubles_manifest
from tests.factories.waiting import wait_until
from workers.batch.engine import Engine
from workers.batch.planning import plan_job
from workers.batch.running import run_next
from workers.bootstrap import assemble
from workers.runner.pipelines.base import Limits
from workers.runner.sequence_store import SequenceStore

POOL = 2
ROWS = 720
LEASE_S = 2.0
PATIENT_S = 30.0
DISPATCH_EVERY_S = 0.3
ENDED_WITHIN_S = 120.0
# As slow as that, a chunk is to have twenty rows: five batches. What it really takes is a tenth of a second.
MEASURED = Measured(
    load_s=0.1,
    memory_bytes=1000,
    is_batch_safe=True,
    batches=[MeasuredBatch(batch_size=1, seconds=0.2), MeasuredBatch(batch_size=4, seconds=0.5)],
)


class Grinds(nn.Module):
    """Gives twice each number of a row and their sum, after some milliseconds of work that changes neither."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ground = x.sum(dim=1, keepdim=True).expand(-1, 4096).contiguous()
        for _ in range(100):
            ground = torch.sin(ground)
        return x * 2, x.sum(dim=1) + 0 * ground.mean(dim=1)


class JobStand:
    """A folder that workers share, and a client of theirs in this process.

    `jobs_dir` is where files of jobs lie, and `database_url` where SQL is, unless it is SQLite in the folder. By
    default no room is reserved: a disk may be full to its last byte. Where no lease is to be lost, `lease_s` is
    PATIENT_S: on a busy machine a worker may be late.
    """

    def __init__(
        self,
        server: RedisServer,
        folder: Path,
        *,
        jobs_dir: Path | None = None,
        database_url: str = "",
        reserve_bytes: int = 0,
        lease_s: float = LEASE_S,
    ) -> None:
        self.server = server
        self.folder = folder
        jobs_url = str(jobs_dir or folder / "jobs")
        settings = make_settings(folder, redis_url=server.url, job_lease_s=lease_s, jobs_url=jobs_url)
        settings = replace(settings, job_disk_reserve=reserve_bytes, database_url=database_url or settings.database_url)
        self.variables = {
            "JOB_LEASE_S": f"{lease_s}",
            "JOBS_URL": jobs_url,
            "JOB_DISK_RESERVE": f"{reserve_bytes}",
            "DATABASE_URL": settings.database_url,
        }
        migrate(settings.database_url)
        # Without a memory limit: this is the process of all tests, and holds what they left.
        self.parts = assemble(replace(settings, job_memory_limit=0))
        manifest = doubles_manifest(measured=MEASURED)
        publish_model(self.parts.store, folder, Grinds(), name="grinds", manifest=manifest, samples=None)
        publish_model(self.parts.store, folder, manifest=colour_manifest(measured=MEASURED))
        self.parts.releases.adopt_store()
        self.engine = Engine(self.parts.store, Limits(), SequenceStore(self.parts.state_redis), most_bytes=2**30)
        self.dispatch_every_s = DISPATCH_EVERY_S
        self._dispatched_at = 0.0

    def post(self, rows: bytes, **values: Any) -> str:
        """Submit a job whose input this is; return its id. `values` are other members of the submission."""
        fields: dict[str, Any] = {
            "kind": "tensor",
            "client_id": "bot",
            "model_name": "grinds",
            "version": 1,
            "queue": QueueName.BATCH,
            "input_format": InputFormat.NDJSON.value,
            "input_bytes": len(rows),
            **values,
        }
        job = JobSubmission(**fields)
        with self.parts.job_files.receiving(job.id) as folder:
            path = folder / INPUT
            path.write_bytes(rows)
            self.parts.job_files.take_in(job.id, INPUT, path)
        return self.parts.batch_jobs.submit(job)[0].id

    def run_here(self, job_id: str) -> None:
        """Plan and run a job in this process, undisturbed."""
        plan_job(self.parts, self.engine, job_id)
        self.run_chunks()

    def run_chunks(self) -> None:
        """Run the chunks that wait, in this process."""
        while self.parts.chunks.count_free(QueueName.BATCH):
            run_next(self.parts, self.engine, QueueName.BATCH)

    def job(self, job_id: str) -> JobFacts:
        """Return a job as it is."""
        return self.parts.jobs.find(job_id)

    def chunks(self, job_id: str) -> list[ChunkFacts]:
        """Return all chunks of a job as they are."""
        with self.parts.database.read() as session:
            return JobChunkRepository(session).of_job(job_id)

    def wait_for_end(self, job_id: str) -> JobFacts:
        """Wait until a job has ended, and return it."""
        self._wait_for(job_id, lambda job: job.state.is_final)
        return self.job(job_id)

    def wait_for_work(self, job_id: str, number: int) -> None:
        """Wait until a worker is busy with a chunk: with that number, or a later one.

        On a machine that stands still for a second the last chunks may be done unseen: then the job's end is as good.
        """

        def is_busy(job: JobFacts) -> bool:
            busy = {chunk.number for chunk in self.chunks(job_id) if chunk.state == ChunkState.RUNNING}
            return max(busy, default=-1) >= number or job.state.is_final

        self._wait_for(job_id, is_busy)

    def _wait_for(self, job_id: str, is_so: Callable[[JobFacts], bool]) -> None:
        """Wait until it is so of a job; where it takes too long, say what the job waits for."""
        try:
            wait_until(lambda: self.dispatch() or is_so(self.job(job_id)), timeout_s=ENDED_WITHIN_S)
        except TimeoutError:
            raise TimeoutError(f"After {ENDED_WITHIN_S:g} s the job is still so: {self.job(job_id)}") from None

    def end_lease(self, job_id: str) -> None:
        """Let the lease of a job end whose planner was killed, and have its task sent again."""
        job = self.job(job_id)
        with self.parts.database.write() as session:
            assert JobRepository(session).change_held(job, lease_until=Clock().utcnow())
        self.parts.tasks.send(TaskName.RESEND_JOBS)

    def dispatch(self) -> None:
        """Send what beat sends every ten seconds, more often; nothing while the broker is away."""
        if time.monotonic() < self._dispatched_at + self.dispatch_every_s:
            return

        self._dispatched_at = time.monotonic()
        with suppress(RedisUnavailable):
            self.parts.tasks.send(TaskName.DISPATCH_CHUNKS)

    def output(self, job_id: str) -> tuple[bytes, bytes]:
        """Return what clients read of a job's rows: results and errors."""
        chunks = self.parts.batch_jobs.written_chunks(self.job(job_id))
        return self._read(job_id, [it.results for it in chunks]), self._read(job_id, [it.errors for it in chunks])

    def staged(self) -> list[Path]:
        """Return what is being written now."""
        return list((Path(self.parts.settings.jobs_url) / ".staging").glob("*"))

    def freeze_when(self, process: psutil.Process, is_so: Callable[[], object]) -> None:
        """Stop a worker's process at a moment when that is so, and when nobody is writing into SQL."""

        def is_frozen() -> bool:
            process.suspend()
            if is_so() and not self.is_locked():
                return True
            process.resume()
            return False

        wait_until(is_frozen, timeout_s=ENDED_WITHIN_S)

    def is_locked(self) -> bool:
        """Say whether somebody is writing into SQL, where that is SQLite."""
        with closing(sqlite3.connect(self.folder / "galley.db", timeout=0)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
        return False

    def _read(self, job_id: str, names: list[str]) -> bytes:
        return b"".join(self._content(job_id, name) for name in names if name)

    def _content(self, job_id: str, name: str) -> bytes:
        with self.parts.job_files.reader(job_id, name) as file:
            return file.read()


@contextmanager
def standing(folder: Path, **places: Any) -> Iterator[JobStand]:
    """Run a Redis, and make a stand before it in a folder, for the length of the block."""
    with running_redis() as server:
        stand = JobStand(server, folder, **places)
        try:
            yield stand
        finally:
            stand.parts.close()


def working(
    stand: JobStand, *, pool: int = POOL, app: str = "workers.celery_app", is_kept_up: bool = False
) -> AbstractContextManager[CeleryWorker]:
    """Run a worker with so many processes; one that is kept up is started again whenever it ends."""
    return running_worker(stand.server, stand.folder, app=app, pool=pool, is_kept_up=is_kept_up, **stand.variables)


@pytest.fixture(scope="module")
def undisturbed() -> tuple[bytes, bytes]:
    """What a job comes to that nobody disturbs: its results and errors."""
    with tempfile.TemporaryDirectory(prefix="galley-jobs-") as name, standing(Path(name)) as stand:
        job_id = stand.post(tensor_rows())
        stand.run_here(job_id)
        return stand.output(job_id)


def tensor_rows(count: int = ROWS) -> bytes:
    """Return NDJSON of so many rows, each with numbers of its own; every fiftieth is a bad one."""
    return b"".join(orjson.dumps(_row(number)) + b"\n" for number in range(1, count + 1))


def row_numbers(output: tuple[bytes, bytes]) -> list[int]:
    """Return the numbers of the rows that results and errors speak of, in the order of their lines."""
    return [orjson.loads(line)["row"] for lines in output for line in lines.splitlines()]


def _row(number: int) -> dict[str, Any]:
    if number % 50 == 0:
        return {"inputs": []}
    data = [number / 7, -number / 3]
    return {"id": f"row-{number}", "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": data}]}
