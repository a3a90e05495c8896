"""Tar archives, plain or compressed: the same rows either way, and nothing in them costs more than it may."""

import gzip
import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from app.errors import EmptyInput, InvalidInput
from app.scenarios.job_inputs import ChunkLimits, InputRow
from tests.factories.job_inputs import ROOMY, contents, read_chunks, read_rows, stored_input
from workers.batch.inputs.tar_input import TarReader

MOST = 1000
PICTURES = {f"pictures/{number}.png": bytes([number]) * number for number in range(7)}
Pack = Callable[[bytes], bytes]


@pytest.fixture(params=["plain", "gzip"])
def pack(request: pytest.FixtureRequest) -> Pack:
    return bytes if request.param == "plain" else gzip.compress


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.type, header.size = kind, len(data)
    return header, data


def archive(members: Iterable[tuple[tarfile.TarInfo, bytes]], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as opened:
        for header, data in members:
            opened.addfile(header, io.BytesIO(data))
    return target.getvalue()


def rows_of(root: Path, data: bytes, limits: ChunkLimits = ROOMY) -> list[InputRow]:
    return read_rows(TarReader(stored_input(root, data), MOST), limits)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_are_rows_in_order(tmp_path: Path, pack: Pack, form: int) -> None:
    files = PICTURES | {"x" * 80 + "/" + "ä" * 40: b"long"}
    data = archive([member(*file) for file in files.items()], form=form)

    rows = rows_of(tmp_path, pack(data), ChunkLimits(most_rows=2, most_bytes=9))

    assert [(row.name, row.content) for row in rows] == [*files.items()]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_longer_than_a_header_are_read(tmp_path: Path, pack: Pack, form: int) -> None:
    names = ["a" * 300, "猫" * 100 + "/b", "c"]

    rows = rows_of(tmp_path, pack(archive([member(name, b"x") for name in names], form=form)))

    assert [row.name for row in rows] == names


def test_chunks_are_cut_by_rows_and_bytes(tmp_path: Path, pack: Pack) -> None:
    data = pack(archive([member(*file) for file in PICTURES.items()]))

    chunks = read_chunks(TarReader(stored_input(tmp_path, data), MOST), ChunkLimits(most_rows=3, most_bytes=9))

    assert [[len(row.content) for row in chunk] for chunk in chunks] == [[0, 1, 2], [3, 4], [5], [6]]  # type: ignore[arg-type]


def test_folders_and_litter_are_no_rows(tmp_path: Path, pack: Pack) -> None:
    members = [member("a", kind=tarfile.DIRTYPE), member("a/1", b"1"), member("a/._1", b"x"), member("./2", b"2")]

    rows = rows_of(tmp_path, pack(archive(members)))

    assert [(row.number, row.name) for row in rows] == [(1, "a/1"), (2, "./2")]


@pytest.mark.parametrize(
    "refused",
    [
        member("../a", b"x"),
        member("/a", b"x"),
        member("a\0b", b"x"),
        member("link", kind=tarfile.SYMTYPE),
        member("link", kind=tarfile.LNKTYPE),
        member("device", kind=tarfile.CHRTYPE),
        member("device", kind=tarfile.BLKTYPE),
        member("pipe", kind=tarfile.FIFOTYPE),
        member("other", kind=b"V"),
    ],
    ids=lambda case: f"{case[0].name} {case[0].type!r}",
)
def test_other_entries_are_bad_rows(tmp_path: Path, pack: Pack, refused: tuple[tarfile.TarInfo, bytes]) -> None:
    refused[0].pax_headers = {"path": refused[0].name}
    data = pack(archive([member("1", b"1"), refused, member("2", b"2")]))

    assert contents(rows_of(tmp_path, data)) == [b"1", "refused_entry", b"2"]


def test_sparse_file_of_pax_is_a_bad_row(tmp_path: Path, pack: Pack) -> None:
    sparse = member("sparse", b"3\n0\n512\n")
    sparse[0].pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": "999999999999"}

    assert contents(rows_of(tmp_path, pack(archive([sparse, member("1", b"1")])))) == ["refused_entry", b"1"]


def test_sparse_file_of_gnu_is_refused(tmp_path: Path, pack: Pack) -> None:
    with pytest.raises(InvalidInput, match="sparse"):
        rows_of(tmp_path, pack(archive([member("sparse", kind=tarfile.GNUTYPE_SPARSE)], form=tarfile.GNU_FORMAT)))


def test_entry_over_the_limit_is_a_bad_row(tmp_path: Path, pack: Pack) -> None:
    data = pack(archive([member("1", b"1" * MOST), member("2", b"2" * (MOST + 1)), member("3", b"3")]))

    assert contents(rows_of(tmp_path, data)) == [b"1" * MOST, "row_too_large", b"3"]


def test_slices_leave_out_what_is_not_read(tmp_path: Path) -> None:
    rows_of(tmp_path, gzip.compress(archive([member("../1", b"1" * MOST), member("2", bytes(2**20))])))

    (path,) = (tmp_path / "job" / "slices").iterdir()
    assert path.stat().st_size < 10_000


@pytest.mark.parametrize("members", [[], [member("a", kind=tarfile.DIRTYPE)]])
def test_archive_without_a_row_is_refused(
    tmp_path: Path, pack: Pack, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    with pytest.raises(EmptyInput):
        rows_of(tmp_path, pack(archive(members)))


def test_archive_that_is_cut_off_is_refused(tmp_path: Path, pack: Pack) -> None:
    data = archive([member("1", b"1" * 600), member("2", b"2")])
    behind_last = data.rindex(b"2") + 511
    packed = pack(data)
    for length in range(1, behind_last if packed == data else len(packed), 97):
        with pytest.raises(InvalidInput, match=r"cut off|damaged|unpacked"):
            rows_of(tmp_path, packed[:length])


@pytest.mark.parametrize(
    "data", [b"\n" * 512, b"a,b\n1,2\n", b"\x1f\x8bno gzip", gzip.compress(b"{}\n" * 999, mtime=0)]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        rows_of(tmp_path, data)


def test_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    header = tarfile.TarInfo("zeros")
    header.size = 2**33
    data = gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(2**20))

    with pytest.raises(InvalidInput, match="unpacks to more than"):
        rows_of(tmp_path, data)


def test_every_flipped_byte_of_a_header_is_an_error_or_a_row(tmp_path: Path) -> None:
    data = archive([member("é", b"picture")])
    for at in range(3 * 512):
        flipped = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        try:
            rows = rows_of(tmp_path, flipped)
        except (InvalidInput, EmptyInput):
            continue
        assert len(rows) == 1
