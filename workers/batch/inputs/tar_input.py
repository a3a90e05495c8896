"""Inputs as tar archives of pictures, plain or compressed by gzip: each file in one is a row, as they come."""

from collections.abc import Iterator
from itertools import count
from typing import BinaryIO

from app.db.repositories.job_chunks import ChunkDraft
from app.errors import GalleyError, InputError, RefusedEntry, RowTooLarge
from app.scenarios.job_inputs import ChunkLimits, InputRow
from workers.batch.inputs.cutting import Span, cut_spans, gather
from workers.batch.inputs.entries import check_count, check_name, is_litter, shown_name
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.reader import Place, changed_input, not_empty
from workers.batch.inputs.tar_members import TOO_LARGE, ByteStream, TarMember, read_members
from workers.batch.inputs.tar_slices import GZIP_MARK, GzipStream, SliceWriter


class TarReader:
    """Folders and what macOS adds are no rows. Links, devices and names that lead elsewhere are bad rows.

    What is compressed cannot be read from its middle: it is written anew as slices, one per chunk.
    """

    def __init__(self, folder: JobFolder, most_body_bytes: int) -> None:
        self._folder = folder
        self._most_body_bytes = most_body_bytes

    def plan(self, limits: ChunkLimits) -> Iterator[ChunkDraft]:
        """Cut the archive between entries."""
        with self._folder.open_input() as file:
            is_packed = file.read(len(GZIP_MARK)) == GZIP_MARK
            file.seek(0)
            yield from not_empty(self._slices(file, limits) if is_packed else self._parts(file, limits))

    def rows(self, place: Place, first_row: int) -> Iterator[InputRow]:
        """Read the entries of one run of bytes, of the input or of a slice."""
        name = place["slice"]
        with self._folder.open_slice(name) if name else self._folder.open_input() as file:
            members = filter(_is_row, read_members(file, place["start"], place["end"]))
            for number, member in enumerate(members, first_row):
                yield InputRow(number, _content(file, member, place["most_body_bytes"]), shown_name(member.name))

    def _parts(self, file: BinaryIO, limits: ChunkLimits) -> Iterator[ChunkDraft]:
        spans = gather(map(self._span, _rows(file)))
        return cut_spans(spans, limits, slice=None, most_body_bytes=self._most_body_bytes)

    def _span(self, member: TarMember) -> Span:
        weight = member.size_bytes if member.size_bytes <= self._most_body_bytes else 0
        return member.start, member.end, weight

    def _slices(self, packed: BinaryIO, limits: ChunkLimits) -> Iterator[ChunkDraft]:
        file = GzipStream(packed, self._folder.input_bytes())
        writer = SliceWriter(file, _rows(file), self._most_body_bytes)
        numbers, first_row = count(1), 1
        while writer.has_more:
            name = self._folder.slice_name(next(numbers), "tar")
            with self._folder.new_slice(name) as target:
                row_count, end = writer.write(target, limits)
            place = {"start": 0, "end": end, "slice": name, "most_body_bytes": self._most_body_bytes}
            yield ChunkDraft(first_row=first_row, row_count=row_count, place=place)
            first_row += row_count
        file.finish()


def _rows(file: ByteStream) -> Iterator[TarMember]:
    for number, member in enumerate(read_members(file, 0), 1):
        check_count(number)
        if _is_row(member):
            yield member


def _is_row(member: TarMember) -> bool:
    return not member.is_folder and not is_litter(member.name)


def _content(file: BinaryIO, member: TarMember, most_body_bytes: int) -> bytes | GalleyError:
    try:
        _check_member(member, most_body_bytes)
    except InputError as err:
        return err

    file.seek(member.data_start)
    data = file.read(member.size_bytes)
    if len(data) < member.size_bytes:
        raise changed_input()
    return data


def _check_member(member: TarMember, most_body_bytes: int) -> None:
    check_name(member.name)
    if not member.is_file:
        raise RefusedEntry("The entry is no plain file.")
    if TOO_LARGE in member.extended or member.size_bytes > most_body_bytes:
        raise RowTooLarge(most_body_bytes)
