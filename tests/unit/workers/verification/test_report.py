"""Reports come through the pipe whole, and nothing else comes through."""

import os

import pytest

from app.errors import DigestMismatch, LimitExceeded, SignatureMismatch, StoreError, UnloadableArtifact
from model_store.manifest import Measured, MeasuredBatch, TensorSpec
from workers.verification.report import (
    LENGTH,
    LONGEST_MESSAGE,
    MOST_BYTES,
    Failed,
    Found,
    Report,
    ReportReader,
    ReportWriter,
    Step,
    to_error,
)

SPEC = TensorSpec(name="x", datatype="FP32", shape=[-1])
MEASURED = Measured(load_s=0.1, memory_bytes=1, is_batch_safe=True, batches=[MeasuredBatch(batch_size=1, seconds=0.1)])
REPORTS: list[Report] = [
    Step("loading the artifact"),
    Found([SPEC], [SPEC], 8, MEASURED),
    Failed("signature_mismatch", "Tensor 'x' is another."),
]


def written(*reports: Report) -> bytes:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        for report in reports:
            ReportWriter(writing).send(report)
        os.close(writing)
        return pipe.read()


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_reports_are_whole_however_they_come(piece: int) -> None:
    data, reader = written(*REPORTS), ReportReader()
    read = [report for start in range(0, len(data), piece) for report in reader.feed(data[start : start + piece])]

    assert read == REPORTS


@pytest.mark.parametrize(
    "data",
    [
        b"garbage that a model wrote",
        LENGTH.pack(3) + b"\xff\xff\xff",
        LENGTH.pack(LONGEST_MESSAGE + 1),
        written(Step("x" * 201)),
        written(Found([], [SPEC], 1, MEASURED)),
        written(Found([SPEC], [SPEC], 0, MEASURED)),
    ],
)
def test_nonsense_is_told_as_such(data: bytes) -> None:
    with pytest.raises(UnloadableArtifact, match="wrote into the pipe"):
        ReportReader().feed(data)


def test_a_flood_of_reports_ends() -> None:
    flood, reader = written(Step("a" * 200)) * 1000, ReportReader()

    for _ in range(MOST_BYTES // len(flood)):
        reader.feed(flood)

    with pytest.raises(UnloadableArtifact, match="wrote into the pipe"):
        reader.feed(flood)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("limit_exceeded", LimitExceeded),
        ("signature_mismatch", SignatureMismatch),
        ("digest_mismatch", DigestMismatch),
        ("model_not_found", UnloadableArtifact),
        ("no_such_code", UnloadableArtifact),
    ],
)
def test_an_error_comes_back_as_it_was_raised(code: str, kind: type[StoreError]) -> None:
    error = to_error(Failed(code, "what was wrong"))

    assert type(error) is kind
    assert error.detail == "what was wrong"
