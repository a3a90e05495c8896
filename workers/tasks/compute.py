"""What tasks compute with: the versions that their process holds in memory."""

from workers.batch.engine import Engine
from workers.runner.pipelines.base import Limits
from workers.runner.sequence_store import SequenceStore
from workers.tasks.base import GalleyTask


def engine_of(task: GalleyTask) -> Engine:
    """Return the engine of the process that runs a task. It is made when it is first needed: after the pool forked."""
    engine: Engine | None = getattr(task.app, "engine", None)
    if engine is None:
        settings = task.parts.settings
        limits = Limits(max_image_pixels=settings.max_image_pixels)
        sequences = SequenceStore(task.parts.state_redis)
        engine = task.app.engine = Engine(task.parts.store, limits, sequences, most_bytes=settings.job_memory)
    return engine
