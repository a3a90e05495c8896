"""A web worker in front of a real runner."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.inference.client import InferenceClient
from app.inference.messages import RunnerState
from tests.factories.runners import running
from tests.factories.web import WebWorker, make_worker
from tests.fakes.directory import FakeDirectory
from tests.fakes.inference import make_record
from workers.runner.process import RunnerSpec


@contextmanager
def web_before(spec: RunnerSpec, folder: Path) -> Iterator[WebWorker]:
    """Run a runner of a version whose store is in `folder`, and a web worker that knows of no other."""
    with running(spec) as (runner, caller):
        caller.wait_for(RunnerState.READY)
        record = make_record(spec.ref, address=runner.spec.address)
        worker = make_worker(folder, client=InferenceClient(FakeDirectory(record)), limit_inference="100000/second")
        worker.services.releases.adopt_store()
        yield worker
        worker.services.close()
