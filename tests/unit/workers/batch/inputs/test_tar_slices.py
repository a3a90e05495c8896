"""A compressed archive written anew: unpacked no further than it may be, and nothing lost between slices."""

import gzip
import io
import tarfile

import pytest

from app.errors import InvalidInput
from app.scenarios.job_inputs import ChunkLimits
from workers.batch.inputs.tar_members import TarMember, read_members
from workers.batch.inputs.tar_slices import GzipStream, SliceWriter

DATA = bytes(range(256)) * 40


def stream(data: bytes) -> GzipStream:
    return GzipStream(io.BytesIO(data), len(data))


def test_stream_is_what_was_packed() -> None:
    packed = stream(gzip.compress(DATA[:5000]) + gzip.compress(DATA[5000:]))

    assert packed.read(10) == DATA[:10]
    assert packed.seek(6000) == 6000
    assert packed.read(20_000) == DATA[6000:]
    packed.finish()


@pytest.mark.parametrize(
    "damage", [b"\x1f\x8bxxxxxxxxxxxxxxxxxx", gzip.compress(DATA, mtime=0)[:-9], gzip.compress(DATA, mtime=0)[:-1]]
)
def test_damaged_stream_is_refused(damage: bytes) -> None:
    with pytest.raises(InvalidInput, match="cannot be unpacked"):
        stream(damage).finish()


def test_checksum_is_looked_at() -> None:
    data = bytearray(gzip.compress(DATA))
    data[-6] ^= 0xFF

    with pytest.raises(InvalidInput, match="CRC check failed"):
        stream(bytes(data)).finish()


def test_stream_is_not_unpacked_to_a_multiple_of_itself() -> None:
    with pytest.raises(InvalidInput, match="unpacks to more than 268435456 bytes"):
        stream(gzip.compress(b"")).seek(2**28 + 1)
    with pytest.raises(InvalidInput, match="unpacks to more than"):
        stream(gzip.compress(bytes(2**28 + 1), 1)).finish()


def source(sizes: list[int]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as opened:
        for number, size in enumerate(sizes):
            header = tarfile.TarInfo(f"{number}.png")
            header.size = size
            opened.addfile(header, io.BytesIO(bytes([number]) * size))
    return target.getvalue()


def test_slices_hold_the_members_one_after_the_other() -> None:
    file = io.BytesIO(source([5, 600, 3, 2000, 1]))
    writer = SliceWriter(file, read_members(file, 0), 1000)
    written: list[list[tuple[TarMember, bytes]]] = []
    while writer.has_more:
        target = io.BytesIO()
        count, end = writer.write(target, ChunkLimits(most_rows=3, most_bytes=604))
        members = list(read_members(target, 0, end))
        assert len(members) == count
        written.append([(one, target.getvalue()[one.data_start :][: one.size_bytes]) for one in members])

    assert [[len(data) for _, data in members] for members in written] == [[5], [600, 3, 0], [1]]
    assert [member.name for members in written for member, _ in members] == [f"{number}.png" for number in range(5)]


def test_member_whose_bytes_are_missing_is_cut_off() -> None:
    file = io.BytesIO(source([5000])[:2000])

    with pytest.raises(InvalidInput, match="bytes of an entry are missing"):
        SliceWriter(file, read_members(file, 0), 10_000).write(io.BytesIO(), ChunkLimits(most_rows=1, most_bytes=1))
