"""Inputs that are wrong, cut off, or made to hurt, from the post to the end of their jobs: none is ever stuck.

What is wrong as a whole ends its job; what is wrong with a row costs that row, and the others are answered.
"""

import io
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.db.repositories.jobs import JobState
from app.scenarios.job_inputs import InputFormat
from tests.factories.job_runs import JobRuns, bodies, job_runs
from tests.factories.pictures import plain_picture

NDJSON, CSV, PARQUET, ZIP = InputFormat.NDJSON, InputFormat.CSV, InputFormat.PARQUET, InputFormat.ZIP
ROW = b'{"user_id":1}\n'
PICTURE = plain_picture((1, 2, 3))


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[JobRuns]:
    with job_runs(tmp_path) as runs:
        yield runs


def archive(files: Mapping[str, bytes], *links: str) -> bytes:
    """Return a zip of these files, and of links to the machine's own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
        for name in links:
            link = zipfile.ZipInfo(name)
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            zipped.writestr(link, "/etc/passwd")
    return file.getvalue()


def table(**columns: list[object]) -> bytes:
    """Return a Parquet file of these columns."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def cases(inputs: Mapping[str, tuple[Any, ...]]) -> list[Any]:
    """Return the inputs' names; Parquet is read by a process of its own, whose start takes a while."""
    return [pytest.param(name, marks=[pytest.mark.long] * (case[0] is PARQUET)) for name, case in inputs.items()]


USERS = table(user_id=list(range(1, 1000)))
WHOLE = {
    "nothing at all": (NDJSON, b"", "empty_input"),
    "header only": (CSV, b"user_id,k\n", "empty_input"),
    "table without rows": (PARQUET, table(user_id=[]), "empty_input"),
    "archive without files": (ZIP, archive({}), "empty_input"),
    "wrong columns": (CSV, b"user,k\n1,2\n", "invalid_input_file"),
    "wrong columns of Parquet": (PARQUET, table(user=[1]), "invalid_input_file"),
    "quote without an end": (CSV, b'user_id\n1\n"2\n3\n', "invalid_input_file"),
    "Parquet without its end": (PARQUET, USERS[:-100], "invalid_input_file"),
    "Parquet without its middle": (PARQUET, USERS[:200] + USERS[-600:], "invalid_input_file"),
    "zip without its end": (ZIP, archive({"1.png": PICTURE})[:-30], "invalid_input_file"),
    "another format": (PARQUET, ROW, "invalid_input_file"),
}


@pytest.mark.parametrize("name", cases(WHOLE))
def test_input_that_is_wrong_as_a_whole_ends_its_job(runs: JobRuns, name: str) -> None:
    input_format, data, code = WHOLE[name]
    job_id = runs.post(data, "images" if input_format is ZIP else "recommendations", input_format)
    runs.plan(job_id)
    runs.run_all()

    job = runs.job(job_id)
    assert (job.state, (job.error or {}).get("code"), job.done) == (JobState.FAILED, code, 0)
    assert (runs.names(job_id), runs.parts.job_files.names(job_id, "slices")) == ([], [])


@pytest.mark.long
def test_bomb_ends_its_job(runs: JobRuns) -> None:
    megabyte = bytes(2**20)
    job_id = runs.post(archive({f"{number}.png": megabyte for number in range(300)}), "images", ZIP)
    runs.plan(job_id)

    job = runs.job(job_id)
    assert (job.state, (job.error or {}).get("code"), job.total) == (JobState.FAILED, "invalid_input_file", None)


ROWS = {
    "mixed types in JSON": (NDJSON, ROW + b'{"user_id":"x"}\n' + ROW, {2: "validation_failed"}),
    "mixed types in CSV": (CSV, b"user_id,k\n1,2\nx,3\n2,1.5\n2,1\n", {2: "validation_failed", 3: "validation_failed"}),
    "line of 10 MB": (NDJSON, ROW + b'{"user_id":1,"x":"' + b"x" * 10**7 + b'"}\n' + ROW, {2: "row_too_large"}),
    "line of 10 MB in CSV": (CSV, b"user_id\n1\n" + b"1" * 10**7 + b"\n2\n", {2: "row_too_large"}),
    "bad UTF-8": (NDJSON, ROW + b'{"user_id":"\xff"}\n' + ROW, {2: "unreadable_body"}),
    "bad UTF-8 in CSV": (CSV, b"user_id\n1\n\xff\n2\n", {2: "unreadable_row"}),
    "fields too many": (CSV, b"user_id\n1\n1,2\n2\n", {2: "unreadable_row"}),
    "lines that are no rows": (NDJSON, ROW + b"[\n\n]\n" + ROW, {2: "unreadable_body", 3: "unreadable_body"}),
    "nothing where a user should be": (PARQUET, table(user_id=[1, None, 2]), {2: "validation_failed"}),
    "names that lead elsewhere": (
        ZIP,
        archive({"1.png": PICTURE, "../2.png": PICTURE, "/3.png": PICTURE, "4.png": PICTURE}, "5.png"),
        {2: "refused_entry", 3: "refused_entry", 5: "refused_entry"},
    ),
    "three broken pictures of a hundred": (
        ZIP,
        archive({f"{row}.png": PICTURE[:40] if row in {1, 50, 100} else PICTURE for row in range(1, 101)}),
        {1: "unreadable_image", 50: "unreadable_image", 100: "unreadable_image"},
    ),
}


@pytest.mark.parametrize("name", cases(ROWS))
def test_row_that_is_wrong_is_told_and_the_others_are_answered(runs: JobRuns, name: str) -> None:
    input_format, data, errors = ROWS[name]
    kind = "images" if input_format is ZIP else "recommendations"
    job_id = runs.planned(data, kind, input_format, max_error_share=1.0)
    runs.run_all()

    job = runs.job(job_id)
    assert (job.state, job.done, job.failed) == (JobState.SUCCEEDED, job.total, len(errors))
    assert {line["row"]: line["code"] for line in runs.lines(job_id, "errors")} == errors
    assert [line["row"] for line in runs.lines(job_id)] == sorted({*range(1, job.done + 1)} - {*errors})


@pytest.mark.parametrize(("bad", "state"), [(10, JobState.SUCCEEDED), (11, JobState.FAILED)])
def test_job_with_more_bad_rows_than_it_may_have_ends(runs: JobRuns, bad: int, state: JobState) -> None:
    job_id = runs.planned(bodies(range(1, 101 - bad)) + b"no row\n" * bad, max_error_share=0.1)
    runs.run_all()

    job = runs.job(job_id)
    assert job.state == state
    assert (job.error or {}).get("code") == (None if state == JobState.SUCCEEDED else "too_many_errors")
    assert len(runs.lines(job_id, "errors")) == bad
