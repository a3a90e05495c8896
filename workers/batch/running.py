"""Whoever has a ticket runs the chunk whose turn it is, and sends the ticket for the next."""

from app.infra.log_context import follow_request
from app.infra.task_names import QueueName
from workers.batch.chunk_run import ChunkRun
from workers.batch.engine import Engine
from workers.batch.metrics import count_vain_ticket
from workers.batch.tickets import send_following
from workers.bootstrap import WorkerParts


def run_next(parts: WorkerParts, engine: Engine, queue: QueueName) -> str:
    """Run the chunk whose turn it is, if there is one, and send the ticket for the next; return what became of it.

    :raises UnavailableError: when SQL is away: the chunk is another's, once its lease has ended.
    """
    if parts.job_room.is_short():
        # Whoever deletes jobs makes room, or retention does; meanwhile tickets keep coming.
        parts.chunks.note_short(queue)
        count_vain_ticket(queue.value, reason="disk_short")
        return "the disk is short"
    held = parts.chunks.claim(queue)
    if held is None:
        count_vain_ticket(queue.value, reason="no_chunk")
        return "there is no chunk to take"

    job, chunk = held.job, held.facts
    follow_request(job.request_id, job.traceparent, job=job.id, chunk=chunk.number, attempt=chunk.attempt)
    became = ChunkRun(parts, engine, held).run()
    send_following(parts, queue)
    return became
