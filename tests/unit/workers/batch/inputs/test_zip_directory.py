"""The list of a ZIP archive's entries: read as the zipfile module reads it, and never beyond its end."""

import io
import struct
import zipfile

import pytest

from app.errors import InvalidInput
from workers.batch.inputs.zip_directory import ZipEntry, find_directory, read_entries


def archive() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.comment = b"PK in a comment"
        for number, name in enumerate(["a.png", "folder/", "ä/猫.png", "x" * 300]):
            opened.writestr(name, b"picture" * number)
    return target.getvalue()


def listed_in(data: bytes) -> list[ZipEntry]:
    file = io.BytesIO(data)
    directory = find_directory(file, len(data))
    return list(read_entries(file, directory.start, directory.end))


@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
def test_entries_are_those_of_the_module(before: bytes) -> None:
    data = before + archive()
    shift = find_directory(io.BytesIO(data), len(data)).shift
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        infos = opened.infolist()

    assert [
        (entry.name, entry.size_bytes, entry.packed_bytes, entry.checksum, entry.offset + shift)
        for entry in listed_in(data)
    ] == [(info.filename, info.file_size, info.compress_size, info.CRC, info.header_offset) for info in infos]


def test_name_that_is_no_unicode_is_read() -> None:
    data = archive().replace("ä/猫".encode(), b"\xff\xff/\xff\xff\xff")

    assert listed_in(data)[2].name == "\ufffd\ufffd/\ufffd\ufffd\ufffd.png"


def test_part_of_the_list_is_read_alone() -> None:
    data = archive()
    entries = listed_in(data)

    assert list(read_entries(io.BytesIO(data), entries[1].start, entries[2].end)) == entries[1:3]


def test_sizes_of_large_archives_are_read() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as opened, opened.open("a.png", "w", force_zip64=True) as written:
        written.write(b"picture")
    data = target.getvalue()
    # What the module writes of sizes over 4 GiB only.
    at = data.index(b"PK\1\2")
    listed = bytearray(data[at : data.index(b"PK\5\6")])
    struct.pack_into("<2L", listed, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", listed, 30, 20)
    listed[51:51] = struct.pack("<2H2Q", 1, 16, 7, 7)
    large_end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(listed), at)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at + len(listed), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0)

    (entry,) = listed_in(data[:at] + listed + large_end + locator + end)

    assert (entry.size_bytes, entry.packed_bytes, entry.offset) == (7, 7, 0)


def test_archive_that_is_cut_off_is_refused() -> None:
    data = archive()
    for length in range(0, len(data), 7):
        with pytest.raises(InvalidInput, match=r"cut off|damaged"):
            listed_in(data[:length])


def test_list_of_entries_that_is_damaged_is_refused() -> None:
    data = archive()
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)

    for damage in (data[:second] + b"XX" + data[second + 2 :], data[: second + 28] + b"\xff" + data[second + 29 :]):
        with pytest.raises(InvalidInput, match="list of its entries cannot be read"):
            listed_in(damage)
