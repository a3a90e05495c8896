"""What came of the rows of a job, streamed in the order of its input, also while it runs."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from flask import Response

from app.db.repositories.job_chunks import ChunkFacts
from app.db.repositories.jobs import JobFacts
from app.errors import InvalidFields, JobNotFound, NoRows, ResultsGone, StoreUnreachable, TooManyFollowed
from app.scenarios.job_kinds import find_kind
from app.scenarios.job_results import csv_header, csv_pieces
from app.web.api import GalleyBlueprint, problems
from app.web.auth import current_identity, requires
from app.web.blueprints.jobs.answers import JOBS_PATH
from app.web.blueprints.jobs.docs import ERRORS_EXAMPLE, RESULTS_EXAMPLE, STREAM_HEADERS, streamed
from app.web.blueprints.jobs.output_lines import OutputLines, off_hub_pieces
from app.web.blueprints.jobs.schemas import CSV, ErrorsQuery, ResultsQuery
from app.web.blueprints.jobs.visibility import READERS, find_visible
from app.web.extensions import Services, services
from app.web.followed_answers import begun, current_followed_answers
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint("job results", __name__, url_prefix=JOBS_PATH, description="What came of the rows of jobs")

NDJSON_TYPE: Final = "application/x-ndjson"
CSV_TYPE: Final = "text/csv; charset=utf-8; header=present"
# So many chunks are looked up at once: a job has ten thousand, and a slow reader would keep them all in memory.
CHUNKS_PER_PAGE: Final = 200


@blp.route("/<job_id>/results")
@problems(JobNotFound, NoRows, ResultsGone, InvalidFields, StoreUnreachable, TooManyFollowed)
@requires(*READERS)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(ResultsQuery(), location="query")
@blp.doc(**streamed(STREAM_HEADERS, {NDJSON_TYPE: RESULTS_EXAMPLE, "text/csv": "row,user_id,items\r\n"}))
def read_results(query: dict[str, Any], job_id: str) -> Response:
    """Read the answers to a job's rows: a line per good row, in the order of the input.

    While the job runs, those that are there up to the first chunk that is not: what was read stays as it is. A stream
    that breaks off without its end is not whole; read on from a later row with `from_row`.
    """
    job = _find(job_id)
    pages = _Pages(services(), job, lambda chunk: chunk.results)
    if query["format"] == CSV:
        columns = find_kind(job.kind).columns
        pieces = pages.pieces(query["from_row"], lambda page: csv_pieces(page.lines(), columns))
        return _streamed(pages, _headed(csv_header(columns), pieces), CSV_TYPE)

    return _streamed(pages, pages.pieces(query["from_row"], OutputLines.pieces), NDJSON_TYPE)


@blp.route("/<job_id>/errors")
@problems(JobNotFound, NoRows, ResultsGone, InvalidFields, StoreUnreachable, TooManyFollowed)
@requires(*READERS)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(ErrorsQuery(), location="query")
@blp.doc(**streamed(STREAM_HEADERS, {NDJSON_TYPE: ERRORS_EXAMPLE}))
def read_errors(query: dict[str, Any], job_id: str) -> Response:
    """Read why rows of a job are bad: a line per bad row, in the order of the input, also while the job runs."""
    pages = _Pages(services(), _find(job_id), lambda chunk: chunk.errors)
    return _streamed(pages, pages.pieces(query["from_row"], OutputLines.pieces), NDJSON_TYPE)


class _Pages:
    """What chunks of a job wrote, `name_of` each into a file or none, up to where it can be read now.

    Chunks are looked up page by page on the hub, which SQL needs; their files are read off it.
    """

    def __init__(self, live: Services, job: JobFacts, name_of: Callable[[ChunkFacts], str]) -> None:
        self._live = live
        self._name_of = name_of
        self.job = job
        self.until_row = live.batch_jobs.written_until(job)

    def pieces(self, from_row: int, pieces_of: Callable[[OutputLines], Iterator[bytes]]) -> Iterator[bytes]:
        """Yield each page in the pieces it is read in, from a row on.

        :raises ResultsGone: when the chunks were removed meanwhile; what was yielded is no whole then.
        """
        while from_row < self.until_row:
            page = self._page(from_row)
            yield from off_hub_pieces(pieces_of(page))
            from_row = page.chunks[-1].last_row + 1

    def _page(self, from_row: int) -> OutputLines:
        job_id, jobs = self.job.id, self._live.batch_jobs
        chunks = jobs.written_chunks(self.job, from_row=from_row, until_row=self.until_row, most=CHUNKS_PER_PAGE)
        if not chunks:
            raise ResultsGone(job_id)
        return OutputLines(
            files=self._live.job_files, job_id=job_id, chunks=chunks, name_of=self._name_of, from_row=from_row
        )


def _find(job_id: str) -> JobFacts:
    job = find_visible(job_id)
    if not job.queue:
        raise NoRows(job.id)

    return job


def _headed(header: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    # In one with the first piece: when that cannot be read, there is no table.
    yield header + next(pieces, b"")
    yield from pieces


def _streamed(pages: _Pages, pieces: Iterator[bytes], content_type: str) -> Response:
    headers = {"X-Job-State": pages.job.state.value, "Cache-Control": "no-store"}
    if not pages.job.state.is_final:
        headers["X-Next-Row"] = str(pages.until_row)
    followed = current_followed_answers().followed(current_identity().client_id, pieces)
    return Response(begun(followed), headers=headers, content_type=content_type)
