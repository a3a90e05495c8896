"""Which reader reads which format of inputs."""

from collections.abc import Callable, Mapping
from typing import Final

from app.db.repositories.jobs import JobFacts
from app.infra.job_files import JobFiles
from app.scenarios.job_inputs import InputFormat
from app.settings import Settings
from workers.batch.inputs.csv_input import CsvReader
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.ndjson_input import NdjsonReader
from workers.batch.inputs.parquet_input import ParquetReader
from workers.batch.inputs.raw_input import RawReader
from workers.batch.inputs.reader import InputReader
from workers.batch.inputs.tar_input import TarReader
from workers.batch.inputs.zip_input import ZipReader

_MAKERS: Final[Mapping[InputFormat, Callable[[JobFolder, Settings], InputReader]]] = {
    InputFormat.NDJSON: lambda folder, _settings: NdjsonReader(folder),
    InputFormat.CSV: lambda folder, _settings: CsvReader(folder),
    InputFormat.PARQUET: lambda folder, settings: ParquetReader(folder, settings.max_body_bytes),
    InputFormat.ZIP: lambda folder, settings: ZipReader(folder, settings.max_body_bytes),
    InputFormat.TAR: lambda folder, settings: TarReader(folder, settings.max_body_bytes),
    InputFormat.RAW: lambda folder, settings: RawReader(folder, settings.max_body_bytes),
}


def open_reader(files: JobFiles, settings: Settings, job: JobFacts) -> InputReader:
    """Return what reads a job's input; nothing is opened yet."""
    return _MAKERS[InputFormat(job.input_format)](JobFolder(files, job.id, job.attempt), settings)
