"""Inputs of a gigabyte, and odd ones of a quarter, are cut and read with at most 200 MB more memory, in every format.

Measured is the most that was ever resident (VmHWM): of the process that plans and reads chunks beyond what it held
before, and of the one that reads Parquet for it beyond what such a process holds that has done nothing.
"""

import gzip
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.infra.job_files import INPUT
from tests.factories.controllers import ROOT
from tests.factories.job_inputs import JOB_ID

MIB = 2**20
INPUT_BYTES = 1024 * MIB
ODD_INPUT_BYTES = 256 * MIB
MOST_GROWTH_BYTES = 200_000_000

# Imports all that it needs before it looks at its memory for the first time; children's memory counts, too.
PROGRAM = """
import json, re, resource, subprocess, sys
from pathlib import Path
from tests.factories.job_inputs import folder_at
from app.scenarios.job_inputs import ChunkLimits
from workers.batch.inputs.csv_input import CsvReader
from workers.batch.inputs.ndjson_input import NdjsonReader
from workers.batch.inputs.parquet_input import ParquetReader
from workers.batch.inputs.tar_input import TarReader
from workers.batch.inputs.zip_input import ZipReader

def peak_bytes():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def children_bytes():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024

folder = folder_at(Path(sys.argv[1]))
readers = {"ndjson": NdjsonReader, "csv": CsvReader, "parquet": lambda folder: ParquetReader(folder, 2**26),
           "tar": lambda folder: TarReader(folder, 2**26), "zip": lambda folder: ZipReader(folder, 2**26)}
reader = readers[sys.argv[2]](folder)
subprocess.run([sys.executable, "-c", "import workers.batch.inputs.parquet_child"], check=True)
idle_bytes = children_bytes()
before = peak_bytes()
drafts = list(reader.plan(ChunkLimits(most_rows=10_000, most_bytes=2**23)))
rows = sum(1 for draft in drafts[:: max(1, len(drafts) // 8)] for row in reader.rows(draft.place, draft.first_row))
grown = [peak_bytes() - before, children_bytes() - idle_bytes]
print(json.dumps([sum(draft.row_count for draft in drafts), rows, *grown]))
"""


def write_repeated(path: Path, head: bytes, row: bytes, *, size_bytes: int = INPUT_BYTES) -> int:
    rows = MIB // len(row) * (size_bytes // MIB)
    with path.open("wb") as file:
        file.write(head)
        for _ in range(size_bytes // MIB):
            file.write(row * (MIB // len(row)))
    return rows


def write_ndjson(path: Path) -> int:
    return write_repeated(path, b"", b'{"user_id": 12345, "k": 10, "exclude": [1, 2, 3]}\n')


def write_long_lines(path: Path) -> int:
    write_repeated(path, b"{}\n", b"x", size_bytes=ODD_INPUT_BYTES)
    return 2


def write_csv(path: Path) -> int:
    return write_repeated(path, b"a,b,c\n", b'12345,"a ""quoted"",\nfield",0.5\n')


def write_open_lines(path: Path) -> int:
    return write_repeated(path, b"a\n", b'"%s"\n' % (b"line\n" * 1000), size_bytes=ODD_INPUT_BYTES)


def write_parquet(path: Path) -> int:
    # One row group, as large as the file.
    rows = INPUT_BYTES // 64
    table = pa.table(
        {
            "number": pa.array(range(rows)),
            "text": pa.array([b"%056d" % n for n in range(1000)] * (rows // 1000 + 1))[:rows],
        }
    )
    pq.write_table(table, path, row_group_size=rows, use_dictionary=False, compression="none")
    return rows


def write_wide_parquet(path: Path) -> int:
    # As pandas writes it: a hundred columns, whose pages and dictionaries would all be held at once.
    rows = ODD_INPUT_BYTES // (8 * 100)
    numbers = numpy.random.default_rng(7).random(rows)
    pq.write_table(pa.table({f"f{column}": numpy.roll(numbers, column) for column in range(100)}), path)
    return rows


def write_tar(path: Path) -> int:
    with tarfile.open(path, "w") as archive:
        return _add(archive)


def write_packed_tar(path: Path) -> int:
    with gzip.open(path, "wb", compresslevel=0) as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        return _add(archive)


def _add(archive: tarfile.TarFile) -> int:
    for number in range(ODD_INPUT_BYTES // MIB):
        header = tarfile.TarInfo(f"{number}.png")
        header.size = MIB
        archive.addfile(header, io.BytesIO(bytes(MIB)))
    return ODD_INPUT_BYTES // MIB


def write_zip(path: Path) -> int:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(INPUT_BYTES // MIB):
            archive.writestr(f"{number}.png", bytes(MIB))
        # A list of entries that is long, too.
        for number in range(100_000):
            archive.writestr(f"small/{number}.png", b"")
    return INPUT_BYTES // MIB + 100_000


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize(
    ("input_format", "write"),
    [
        ("ndjson", write_ndjson),
        ("ndjson", write_long_lines),
        ("csv", write_csv),
        ("csv", write_open_lines),
        ("parquet", write_parquet),
        ("parquet", write_wide_parquet),
        ("tar", write_tar),
        ("tar", write_packed_tar),
        ("zip", write_zip),
    ],
)
def test_large_input_takes_little_memory(tmp_path: Path, input_format: str, write: Callable[[Path], int]) -> None:
    (tmp_path / JOB_ID).mkdir()
    expected = write(tmp_path / JOB_ID / INPUT)

    command = [sys.executable, "-c", PROGRAM, str(tmp_path), input_format]
    child = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=600)

    rows, read, growth, children = json.loads(child.stdout)
    assert rows == expected
    assert 0 < read <= rows
    assert growth < MOST_GROWTH_BYTES
    assert children < MOST_GROWTH_BYTES
