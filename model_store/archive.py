"""A TorchScript artifact as the zip file it is, opened with the distrust that an upload deserves."""

import os
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

from app.errors import LimitExceeded, UnloadableArtifact

MIB = 2**20
MOST_RECORDS = 65_536
# A large traced model has a few hundred kB of code, a large vocabulary some MB of pickle.
MOST_TEXT_BYTES = 32 * MIB
MOST_DIRECTORY_BYTES = 16 * MIB
# How a zip file ends: the directory's end record, and before it the one for large files with its locator.
_END_MARK, _LARGE_END_MARK = b"PK\5\6", b"PK\6\6"
_END_BYTES, _TAIL_BYTES = 22, 22 + 20 + 56
_IN_LARGE_END = 0xFFFFFFFF
_ENCRYPTED = 0x1
# torch compresses code and its debug tables, and nothing else.
_COMPRESSED_ENDINGS = (".py", ".debug_pkl")


class Archive:
    """The records of an artifact; names are relative to the archive's one root folder.

    :raises UnloadableArtifact: on construction, when the file is no zip file, or not one as torch writes them.
    :raises LimitExceeded: when it has too many records.
    """

    def __init__(self, path: Path) -> None:
        _check_directory(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as err:
            raise _broken(str(err)) from err

        try:
            self._records = _check_records(self._zip.infolist())
        except Exception:
            self._zip.close()
            raise
        self._unread = MOST_TEXT_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """Return the names of all records."""
        return list(self._records)

    def read(self, name: str) -> bytes:
        """Return a record's bytes; what its header says of its size is not believed.

        :raises LimitExceeded: when all that was read passes the limit.
        :raises UnloadableArtifact: when it cannot be inflated, or is not what its checksum says.
        """
        try:
            with self._zip.open(self._records[name]) as record:
                data = record.read(self._unread + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            ValueError,
            RuntimeError,
            NotImplementedError,
        ) as err:
            # ValueError: the name before the record's bytes is another than the directory's, and no UTF-8.
            raise _broken(f"{name} cannot be read ({err})") from err

        self._unread -= len(data)
        if self._unread < 0:
            raise LimitExceeded(f"The archive's code and pickles are over {MOST_TEXT_BYTES // MIB} MiB, unpacked.")
        return data


def _check_directory(path: Path) -> None:
    """Look at how large the list of records says it is, before it is read into memory as a whole."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        tail = file.read()
    if tail[-_END_BYTES:][:4] != _END_MARK:
        raise _broken("it is no zip file, or was cut off")

    sizes = [int.from_bytes(tail[-10:-6], "little")]
    if tail[:4] == _LARGE_END_MARK and len(tail) == _TAIL_BYTES:
        # Then the short record may say that the size is in the long one.
        sizes = [size for size in sizes if size != _IN_LARGE_END] + [int.from_bytes(tail[40:48], "little")]
    if max(sizes) > MOST_DIRECTORY_BYTES:
        raise LimitExceeded(f"The archive's list of records is over {MOST_DIRECTORY_BYTES // MIB} MiB.")


def _check_records(infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    if len(infos) > MOST_RECORDS:
        raise LimitExceeded(f"The archive has {len(infos)} records; {MOST_RECORDS} is the limit.")

    records: dict[str, zipfile.ZipInfo] = {}
    seen = set()
    for info in infos:
        root, _, name = info.filename.partition("/")
        _check_record(info, root, name)
        # torch finds records by their names without regard to case.
        if info.filename.lower() in seen:
            raise _broken(f"two records are named {info.filename!r}")
        seen.add(info.filename.lower())
        records[name] = info
    if len({info.filename.partition("/")[0] for info in infos}) > 1:
        raise _broken("its records lie in more than one folder")
    return records


def _check_record(info: zipfile.ZipInfo, root: str, name: str) -> None:
    is_plain = info.filename.isprintable() and "\\" not in info.filename and info.orig_filename == info.filename
    if not is_plain or not root or not name or {"", ".", ".."} & set(info.filename.split("/")):
        raise _broken(f"a record is named {info.filename!r}")
    if info.flag_bits & _ENCRYPTED:
        raise _broken(f"{name} is encrypted")
    if info.compress_type != zipfile.ZIP_STORED and not (
        info.compress_type == zipfile.ZIP_DEFLATED and name.endswith(_COMPRESSED_ENDINGS)
    ):
        raise _broken(f"{name} is compressed, as torch.jit.save does not do")


def _broken(reason: str) -> UnloadableArtifact:
    return UnloadableArtifact(f"The artifact is not a whole TorchScript archive: {reason}.")
