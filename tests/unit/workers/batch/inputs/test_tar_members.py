"""Members of tar archives: those that the tarfile module finds, and no header makes memory be taken."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInput
from workers.batch.inputs.tar_members import TarMember, read_members

NAMES = st.text("aä猫/. ", min_size=1, max_size=300).map(lambda name: "n" + name.rstrip("/"))
MEMBERS = st.lists(st.tuples(NAMES, st.binary(max_size=1100)), max_size=4)


def archive(files: list[tuple[str, bytes]], form: int, *, kind: bytes = tarfile.REGTYPE) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as opened:
        for name, data in files:
            header = tarfile.TarInfo(name)
            header.size, header.type = len(data), kind
            opened.addfile(header, io.BytesIO(data))
    return target.getvalue()


def members_of(data: bytes) -> list[TarMember]:
    return list(read_members(io.BytesIO(data), 0))


@given(files=MEMBERS, form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_members_are_those_of_the_module(files: list[tuple[str, bytes]], form: int) -> None:
    data = archive(files, form)

    members = members_of(data)

    assert [(member.name, data[member.data_start :][: member.size_bytes]) for member in members] == files
    assert [member.start for member in members[1:]] == [member.end for member in members[:-1]]


def test_part_of_an_archive_is_read_alone() -> None:
    data = archive([(str(number), b"x" * 600) for number in range(4)], tarfile.PAX_FORMAT)
    members = members_of(data)

    assert list(read_members(io.BytesIO(data), members[1].start, members[2].end)) == members[1:3]


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("size", [2**40, 2**20 + 1, -1])
def test_name_of_any_length_is_not_read(kind: bytes, size: int) -> None:
    header = tarfile.TarInfo("long")
    header.type, header.size = kind, size

    with pytest.raises(InvalidInput, match="at byte 512 should be a header"):
        members_of(header.tobuf(tarfile.GNU_FORMAT) + bytes(2**21))


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_headers_of_one_member_are_bounded_together(kind: bytes) -> None:
    large = archive([("header", b"a" * 2**19)] * 2, tarfile.GNU_FORMAT, kind=kind)

    with pytest.raises(InvalidInput, match="damaged"):
        members_of(large)
    assert members_of(archive([("header", b"a" * 2**18)] * 2, tarfile.GNU_FORMAT, kind=kind)) == []


@pytest.mark.parametrize(
    "record", [b"9999 path=a\n", b"0 path=a\n", b"path=a\n", b"-9 path=a\n", b"8 patha\n", b"\xb2 a=b\n", b"9 path=a-"]
)
def test_broken_pax_header_is_refused(record: bytes) -> None:
    with pytest.raises(InvalidInput, match="damaged"):
        members_of(archive([("header", record)], tarfile.GNU_FORMAT, kind=tarfile.XHDTYPE))


@pytest.mark.parametrize("size", ["99999999999999999999", "-1", "1e3", "99999999999999999999999999"])
def test_size_that_is_none_is_not_believed(size: str) -> None:
    header = tarfile.TarInfo("file")
    header.pax_headers = {"size": size}

    assert members_of(header.tobuf(tarfile.PAX_FORMAT) + bytes(1024))[0].size_bytes == 0


def test_archive_without_its_end_is_cut_off() -> None:
    data = archive([("a", b"a")], tarfile.PAX_FORMAT)

    with pytest.raises(InvalidInput, match="its end is missing"):
        members_of(data[: members_of(data)[0].end])
