"""Whole jobs, planned and run by a real worker behind a real Redis: row by row, they say what the routes say."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flask.testing import FlaskClient

from app.db.repositories.jobs import JobFacts, JobState
from app.infra.job_files import INPUT
from app.infra.task_names import QueueName
from app.scenarios.job_inputs import InputFormat
from app.services.batch_jobs import JobSubmission
from tests.factories.celery_worker import CeleryWorker, running_worker
from tests.factories.job_runs import MEASURED
from tests.factories.pictures import plain_picture
from tests.factories.ranking import UNKNOWN_USER, RankingWorld, make_world
from tests.factories.redis_server import running_redis
from tests.factories.runners import make_spec
from tests.factories.tensor_models import Doubles, doubles_manifest
from tests.factories.waiting import wait_until
from tests.factories.web_runner import web_before
from workers.bootstrap import WorkerParts, assemble
from workers.runner.process import RunnerSpec

ENDED_WITHIN_S = 120.0
BATCH, HEAVY = QueueName.BATCH, QueueName.HEAVY


@dataclass(frozen=True)
class Desk:
    """Where jobs are posted, and what runs them."""

    worker: CeleryWorker
    parts: WorkerParts
    world: RankingWorld
    specs: dict[str, RunnerSpec]

    def run(self, data: bytes, kind: str, input_format: InputFormat, **values: Any) -> JobFacts:
        """Post a job, wait for its end, and return it."""
        model = {"recommendations": "recommender", "images": "colours", "tensor": "doubles"}[kind]
        fields = {"kind": kind, "client_id": "bot", "model_name": model, "version": 1, "queue": BATCH, **values}
        job = JobSubmission(**fields, input_format=input_format.value, input_bytes=len(data))
        with self.parts.job_files.receiving(job.id) as folder:
            (folder / INPUT).write_bytes(data)
            self.parts.job_files.take_in(job.id, INPUT, folder / INPUT)
        self.parts.batch_jobs.submit(job)
        wait_until(lambda: self.parts.jobs.find(job.id).state.is_final, timeout_s=ENDED_WITHIN_S)
        return self.parts.jobs.find(job.id)

    def lines(self, job: JobFacts, which: str) -> list[dict[str, Any]]:
        """Return what was written of a job's rows: `results` or `errors`."""
        names = [getattr(chunk, which) for chunk in self.parts.batch_jobs.written_chunks(job)]
        return [line for name in names if name for line in self._lines_of(job, name)]

    def ask(self, kind: str, calls: Callable[[FlaskClient], list[Any]]) -> list[Any]:
        """Return what calls of a web worker give that has a runner of the kind's model behind it."""
        with web_before(self.specs[kind], self.worker.settings.var_dir) as web:
            client = web.app.test_client()
            client.environ_base["HTTP_AUTHORIZATION"] = web.bearer()["Authorization"]
            return calls(client)

    def _lines_of(self, job: JobFacts, name: str) -> list[dict[str, Any]]:
        with self.parts.job_files.reader(job.id, name) as file:
            return [orjson.loads(line) for line in file.read().splitlines()]


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the connections of the desk outlive a test: they are the module's."""


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    world = make_world(users=300, items=200)
    manifest = world.manifest(measured=MEASURED)
    with tempfile.TemporaryDirectory(prefix="galley-") as name, running_redis() as server:
        folder = Path(name)
        with running_worker(server, folder, pool=2, JOB_DISK_RESERVE="0") as worker:
            ranking = {"name": "recommender", "manifest": manifest, "assets": world.save_assets(folder)}
            doubles = {"name": "doubles", "manifest": doubles_manifest(measured=MEASURED)}
            specs = {
                "recommendations": make_spec(folder, folder, world.model(), samples=None, **ranking),
                "images": make_spec(folder, folder),
                "tensor": make_spec(folder, folder, Doubles(), samples=None, **doubles),
            }
            parts = assemble(worker.settings)
            parts.releases.adopt_store()
            yield Desk(worker, parts, world, specs)
            parts.close()


def same(lines: list[dict[str, Any]], answers: list[Any]) -> None:
    """Hold lines of results against the answers to the same rows alone: the sums of larger batches round otherwise."""
    assert len(lines) == len(answers)
    for line, answer in zip(lines, answers, strict=True):
        told = {name: value for name, value in line.items() if name not in {"row", "name"}}
        assert list(told) == list(answer)
        assert np.allclose(_numbers(told), _numbers(answer), rtol=1e-5, atol=1e-6)
        assert _words(told) == _words(answer)


def _numbers(value: Any) -> list[float]:
    return [each for each in _leaves(value) if isinstance(each, float)]


def _words(value: Any) -> list[Any]:
    return [each for each in _leaves(value) if not isinstance(each, float)]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, list) else [value]


def test_recommendations_from_ndjson(desk: Desk) -> None:
    random = np.random.default_rng(0)
    users = [*desk.world.users.tolist(), UNKNOWN_USER]
    rows = [{"user_id": users[i % len(users)], "k": int(random.integers(1, 20))} for i in range(15_000)]
    rows[7] = {"user_ids": users[:5], "k": 3, "exclude": desk.world.items[:4].tolist()}
    data = [orjson.dumps(row) for row in rows]
    data[9_000] = b"no JSON"
    job = desk.run(b"\n".join(data), "recommendations", InputFormat.NDJSON)
    lines = desk.lines(job, "results")

    assert (job.state, job.done, job.failed, job.chunk_count) == (JobState.SUCCEEDED, 15_000, 1, 3)
    assert [line["row"] for line in lines] == [row for row in range(1, 15_001) if row != 9_001]
    assert [line["row"] for line in desk.lines(job, "errors")] == [9_001]
    picked = [*range(40), *range(8_980, 9_000)]
    answers = desk.ask(
        "recommendations", lambda web: [web.post("/api/v1/recommendations", json=rows[i]).json for i in picked]
    )
    same([lines[i] for i in picked], answers)


def test_pictures_from_a_zip(desk: Desk) -> None:
    random = np.random.default_rng(1)
    pictures = [plain_picture(tuple(random.integers(0, 256, 3).tolist())) for _ in range(40)]
    archive = BytesIO()
    with ZipFile(archive, "w") as zipped:
        for number, picture in enumerate(pictures):
            zipped.writestr(f"{number:03}.png", b"broken" if number % 13 == 5 else picture)
    values = {"parameters": {"top_k": 2}, "max_error_share": 0.2}
    job = desk.run(archive.getvalue(), "images", InputFormat.ZIP, **values)

    assert (job.state, job.done, job.failed) == (JobState.SUCCEEDED, 40, 3)
    assert [line["name"] for line in desk.lines(job, "errors")] == ["005.png", "018.png", "031.png"]
    good = [picture for number, picture in enumerate(pictures) if number % 13 != 5]
    path, png = "/api/v1/images/classifications?model=colours&top_k=2", {"content_type": "image/png"}
    answers = desk.ask("images", lambda web: [web.post(path, data=picture, **png).json for picture in good])
    same(desk.lines(job, "results"), answers)


def test_tensors_from_parquet_on_the_heavy_queue(desk: Desk) -> None:
    numbers = np.random.default_rng(2).standard_normal((200, 3)).astype(np.float32)
    file = BytesIO()
    pq.write_table(pa.table({"x": pa.array(numbers.tolist(), pa.list_(pa.float32()))}), file, row_group_size=64)
    job = desk.run(file.getvalue(), "tensor", InputFormat.PARQUET, queue=HEAVY)

    def ask(web: FlaskClient) -> list[Any]:
        inputs = ({"name": "x", "datatype": "FP32", "shape": [1, 3], "data": row} for row in numbers.tolist())
        return [web.post("/v2/models/doubles/infer", json={"inputs": [each]}).json for each in inputs]

    assert (job.state, job.done, job.failed) == (JobState.SUCCEEDED, 200, 0)
    same(desk.lines(job, "results"), desk.ask("tensor", ask))
