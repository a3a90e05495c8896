"""ZIP archives: their files are rows, whatever else is in them is not, and nothing in them costs more than it may."""

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from app.errors import EmptyInput, InvalidInput
from app.scenarios.job_inputs import ChunkLimits, InputRow
from tests.factories.job_inputs import ROOMY, contents, read_chunks, read_rows, stored_input
from workers.batch.inputs.zip_input import ZipReader

MOST = 1000
PICTURES = {f"pictures/{number}.png": bytes([number]) * number for number in range(7)}


def archive(files: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as opened:
        opened.comment = comment
        for name, data in files.items():
            opened.writestr(name, data)
    return target.getvalue()


def rows_of(root: Path, data: bytes, limits: ChunkLimits = ROOMY) -> list[InputRow]:
    return read_rows(ZipReader(stored_input(root, data), MOST), limits)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
@pytest.mark.parametrize("comment", [b"", b"c" * 65_535])
def test_files_are_rows_in_order(tmp_path: Path, compression: int, before: bytes, comment: bytes) -> None:
    data = before + archive(PICTURES, compression=compression, comment=comment)

    rows = rows_of(tmp_path, data, ChunkLimits(most_rows=2, most_bytes=9))

    assert {row.name: row.content for row in rows} == PICTURES
    assert [row.name for row in rows] == [*PICTURES]


def test_chunks_are_cut_by_unpacked_bytes(tmp_path: Path) -> None:
    reader = ZipReader(stored_input(tmp_path, archive(PICTURES)), MOST)

    chunks = read_chunks(reader, ChunkLimits(most_rows=3, most_bytes=9))

    assert [[len(row.content) for row in chunk] for chunk in chunks] == [[0, 1, 2], [3, 4], [5], [6]]  # type: ignore[arg-type]


def test_folders_and_litter_are_no_rows(tmp_path: Path) -> None:
    files = {"a/": b"", "a/1.png": b"1", "__MACOSX/a/._1.png": b"x", "a/.DS_Store": b"x", "2.png": b"2"}

    assert [(row.number, row.name) for row in rows_of(tmp_path, archive(files))] == [(1, "a/1.png"), (2, "2.png")]


@pytest.mark.parametrize("files", [{}, {"a/": b"", "__MACOSX/x": b"x"}])
def test_archive_without_a_row_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(EmptyInput):
        rows_of(tmp_path, archive(files))


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "a/../../b.png", "c:\\a.png"])
def test_name_that_leads_elsewhere_is_a_bad_row(tmp_path: Path, name: str) -> None:
    rows = rows_of(tmp_path, archive({"1": b"1", name: b"x", "2": b"2"}))

    assert contents(rows) == [b"1", "refused_entry", b"2"]
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".png"]


def test_link_is_a_bad_row(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as opened:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(link, "/etc/passwd")
        opened.writestr("1", b"1")

    assert contents(rows_of(tmp_path, target.getvalue())) == ["refused_entry", b"1"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_bad_rows(tmp_path: Path, compression: int) -> None:
    assert contents(rows_of(tmp_path, archive({"a": b"a" * 99}, compression=compression))) == ["refused_entry"]


def patched(data: bytes, *, listed_at: int, form: str, value: int) -> bytes:
    """Return the archive with a field of its list's first entry changed."""
    changed = bytearray(data)
    struct.pack_into(form, changed, data.index(b"PK\1\2") + listed_at, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("listed_at", "form", "value", "code"),
    [
        (8, "<H", 0x1, "refused_entry"),  # encrypted
        (16, "<L", 7, "unreadable_row"),  # another checksum
        (24, "<L", 50, "unreadable_row"),  # fewer bytes than there are
        (24, "<L", 500, "unreadable_row"),  # more of them
        (24, "<L", MOST + 1, "row_too_large"),
        (20, "<L", 3, "unreadable_row"),  # fewer packed bytes
        (42, "<L", 9, "unreadable_row"),  # elsewhere
        (42, "<L", 2**31, "unreadable_row"),  # far elsewhere
    ],
)
def test_entry_that_is_not_what_the_list_says_is_a_bad_row(
    tmp_path: Path, listed_at: int, form: str, value: int, code: str
) -> None:
    data = archive({"a": b"a" * 100, "b": b"b"})

    rows = rows_of(tmp_path, patched(data, listed_at=listed_at, form=form, value=value))

    assert contents(rows) == [code, b"b"]


def test_damaged_bytes_are_a_bad_row(tmp_path: Path) -> None:
    data = archive({"a": bytes(range(256)), "b": b"b"})
    start = 30 + 1

    assert contents(rows_of(tmp_path, data[:start] + b"\xff" * 8 + data[start + 8 :])) == ["unreadable_row", b"b"]


def test_bomb_is_never_unpacked_further_than_it_says(tmp_path: Path) -> None:
    bomb = patched(archive({"a": bytes(50 * 2**20)}), listed_at=24, form="<L", value=MOST)

    assert contents(rows_of(tmp_path, bomb)) == ["unreadable_row"]


def test_archive_of_many_bombs_is_refused(tmp_path: Path) -> None:
    bombs = archive({str(number): bytes(2**20) for number in range(300)})

    with pytest.raises(InvalidInput, match="unpacks to more than"):
        read_rows(ZipReader(stored_input(tmp_path, bombs), 2**20))


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    data = archive({"a": b"a" * 100}, compression=zipfile.ZIP_STORED)
    at, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    listed = data[at:end] * 3

    with pytest.raises(InvalidInput, match="overlap"):
        rows_of(tmp_path, data[:at] + listed + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 3, 3, len(listed), at, 0))


def test_every_flipped_byte_is_an_error_or_a_row(tmp_path: Path) -> None:
    data = archive({"a.png": b"picture", "b.png": zlib.compress(b"x" * 100)})
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        try:
            rows = rows_of(tmp_path, flipped)
        except InvalidInput:
            continue
        assert len(rows) <= 2
